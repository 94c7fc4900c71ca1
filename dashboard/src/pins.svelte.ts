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

  /**
   * Pins a ledger, with its newest checkpoint where what was seen names its root. A key that is pinned already stays, and is what older
   * evidence goes on being held against: only its checkpoint moves on.
   */
  ledger({ org, ledgerFingerprint, treeSize, merkleRootHex }: Seen): void {
    const seen = merkleRootHex === undefined ? {} : { checkpoint: { treeSize, merkleRootHex } };
    this.#keep(({ signers, ledgers }) => ({
      signers,
      ledgers: ledgers.some((pin) => pin.org === org)
        ? ledgers.map((pin) => (pin.org === org ? { ...pin, ...seen } : pin))
        : [...ledgers, { org, fingerprint: ledgerFingerprint, ...seen }],
    }));
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

  /** Takes over pins that the verifier takes, beside those that are here, which stay as they are. */
  add(file: Pins): void {
    this.#keep(({ signers, ledgers }) => ({
      signers: [...new Set([...signers, ...(file.signers ?? [])])],
      ledgers: [...ledgers, ...(file.ledgers ?? []).filter((added) => !ledgers.some((pin) => pin.org === added.org && pin.fingerprint === added.fingerprint))],
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
