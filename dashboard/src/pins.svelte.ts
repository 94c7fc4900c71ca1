// What this browser has seen of ledgers and signers before. Pins are no secrets; they are what keys inside a document cannot be.

import type { LedgerPin, Pins } from "@postq/verifier";

const NAME = "postq-vault pins";

type Kinds = Required<Pick<Pins, "signers" | "ledgers">>;

interface Seen {
  org: string;
  ledgerFingerprint: string;
  treeSize: number;
  /** None where what was seen names no root: then the key alone is pinned. */
  merkleRootHex?: string;
}

class Kept {
  #pins = $state.raw<Kinds>(stored());

  constructor() {
    // Another tab's pins are this browser's too.
    addEventListener("storage", () => (this.#pins = stored()));
  }

  /** As the verifier and `postq --trust` take them. */
  get all(): Pins {
    return { v: 1, ...this.#pins };
  }

  /** What is pinned of an organisation's ledger. */
  of(org: string): LedgerPin[] {
    return this.#pins.ledgers.filter((pin) => pin.org === org);
  }

  /** Pins a ledger: with its newest checkpoint, where what was seen names its root, in place of the earlier one by the same key. */
  ledger({ org, ledgerFingerprint, treeSize, merkleRootHex }: Seen): void {
    const pin = { org, fingerprint: ledgerFingerprint };
    const pinned = merkleRootHex === undefined ? pin : { ...pin, checkpoint: { treeSize, merkleRootHex } };
    this.#keep(({ signers, ledgers }) => ({ signers, ledgers: [...ledgers.filter((other) => other.org !== org), pinned] }));
  }

  signer(fingerprint: string): void {
    this.#keep(({ signers, ledgers }) => ({ signers: [...new Set([...signers, fingerprint])], ledgers }));
  }

  forgetLedger({ org, fingerprint }: LedgerPin): void {
    this.#keep(({ signers, ledgers }) => ({ signers, ledgers: ledgers.filter((pin) => pin.org !== org || pin.fingerprint !== fingerprint) }));
  }

  forgetSigner(fingerprint: string): void {
    this.#keep(({ signers, ledgers }) => ({ signers: signers.filter((pin) => pin !== fingerprint), ledgers }));
  }

  /** Takes over pins that the verifier takes, beside those that are here; of a ledger that is pinned already, what is here stays. */
  add(file: Pins): void {
    this.#keep(({ signers, ledgers }) => ({
      signers: [...new Set([...signers, ...(file.signers ?? [])])],
      ledgers: [...ledgers, ...(file.ledgers ?? []).filter(({ org }) => !ledgers.some((pin) => pin.org === org))],
    }));
  }

  #keep(change: (pins: Kinds) => Kinds): void {
    this.#pins = change(stored());
    localStorage.setItem(NAME, JSON.stringify(this.all));
  }
}

function stored(): Kinds {
  try {
    const { signers = [], ledgers = [] } = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Pins;
    return { signers, ledgers };
  } catch {
    return { signers: [], ledgers: [] };
  }
}

export const pins = new Kept();
