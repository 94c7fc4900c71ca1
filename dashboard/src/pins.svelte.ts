// What this browser has seen of ledgers and signers before. Pins are no secrets; they are what keys inside a document cannot be.

import type { Pins } from "@postq/verifier";

const NAME = "postq-vault pins";

interface Seen {
  org: string;
  ledgerFingerprint: string;
  treeSize: number;
  /** None where what was seen names no root: then the key alone is pinned. */
  merkleRootHex?: string;
}

class Kept {
  #pins = $state.raw<Required<Pick<Pins, "signers" | "ledgers">>>(stored());

  /** As the verifier and `postq --trust` take them. */
  get all(): Pins {
    return { v: 1, ...this.#pins };
  }

  /** Pins a ledger with its newest checkpoint, in place of what was pinned of it. */
  ledger({ org, ledgerFingerprint, treeSize, merkleRootHex }: Seen): void {
    const others = this.#pins.ledgers.filter((pin) => pin.org !== org);
    const pin = { org, fingerprint: ledgerFingerprint };
    this.#keep({ ...this.#pins, ledgers: [...others, merkleRootHex === undefined ? pin : { ...pin, checkpoint: { treeSize, merkleRootHex } }] });
  }

  signer(fingerprint: string): void {
    this.#keep({ ...this.#pins, signers: [...new Set([...this.#pins.signers, fingerprint])] });
  }

  forgetLedger(org: string): void {
    this.#keep({ ...this.#pins, ledgers: this.#pins.ledgers.filter((pin) => pin.org !== org) });
  }

  forgetSigner(fingerprint: string): void {
    this.#keep({ ...this.#pins, signers: this.#pins.signers.filter((pin) => pin !== fingerprint) });
  }

  /** Takes over the pins of a file, beside those that are here. */
  add(file: Pins): void {
    const orgs = new Set((file.ledgers ?? []).map(({ org }) => org));
    this.#keep({
      signers: [...new Set([...this.#pins.signers, ...(file.signers ?? [])])],
      ledgers: [...this.#pins.ledgers.filter(({ org }) => !orgs.has(org)), ...(file.ledgers ?? [])],
    });
  }

  #keep(pins: Required<Pick<Pins, "signers" | "ledgers">>): void {
    this.#pins = pins;
    localStorage.setItem(NAME, JSON.stringify(this.all));
  }
}

function stored(): Required<Pick<Pins, "signers" | "ledgers">> {
  try {
    const { signers = [], ledgers = [] } = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Pins;
    return { signers, ledgers };
  } catch {
    return { signers: [], ledgers: [] };
  }
}

export const pins = new Kept();
