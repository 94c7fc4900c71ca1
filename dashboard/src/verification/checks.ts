// What is checked in this browser, by `@postq/verifier` in a Worker: the functions that the Worker has, and nothing about how they
// are called.

import { PostQ } from "@postq/sdk";
import {
  type Algorithm,
  type BundleFindings,
  BundleVerifier,
  describePublicKey,
  eventDigest,
  hashStream,
  type LedgerFindings,
  type LineageFindings,
  type Pins,
  type ReceiptFindings,
  type Refused,
  type SignatureResult,
  verify,
  verifyBundle,
  verifyCheckpoint,
  verifyInclusion,
  verifyLineage,
  verifyReceipt,
} from "@postq/verifier";

/** What a check may tell while it runs, and what ends it. */
export interface Run {
  signal: AbortSignal;
  progress(done: number, of?: number): void;
}

/** How to reach the vault from here. */
export interface Credentials {
  apiKey: string;
  baseUrl: string;
}

interface Signed {
  treeSize: number;
  merkleRootHex: string;
  signatureBase64: string;
  signingKeyId: string;
  createdAt: string;
}

/** What a checkpoint's signature is checked with, as a bundle has it. */
interface Keys {
  signingKeys: object[];
  successions: object[];
}

export const CHECKS = {
  /** What a public key is. */
  async publicKey({ publicKey }: { publicKey: string }, _: Run): Promise<{ algorithm: Algorithm; fingerprint: string }> {
    return describePublicKey(publicKey);
  },

  /** The digest of a file, by the algorithm's hash: what is sent in place of a large one. */
  async digest({ algorithm, payload }: { algorithm: Algorithm; payload: Blob }, run: Run): Promise<Uint8Array> {
    return hashed(algorithm, payload, run);
  },

  /** A signature, both halves apart. */
  async signature(
    { publicKey, payload, signature, context }: { publicKey: string; payload: Blob; signature: Uint8Array; context?: Uint8Array },
    run: Run,
  ): Promise<SignatureResult> {
    const prehash = await hashed(describePublicKey(publicKey).algorithm, payload, run);
    return verify({ publicKey, prehash, signature, ...(context ? { context } : {}) });
  },

  /** A receipt, with what was signed if it is there, and the signature if the receipt has none. */
  async receipt(
    { receipt, payload, signature, pins }: { receipt: string; payload?: Blob; signature?: Uint8Array; pins: Pins },
    run: Run,
  ): Promise<ReceiptFindings | Refused> {
    const known = { pins, ...(signature ? { signature } : {}) };
    const without = verifyReceipt(receipt, known);
    // Without a payload it says by which hash the payload was signed; a receipt that does not hold needs none.
    if (!payload || !without.ok) return without;
    return verifyReceipt(receipt, { ...known, prehash: await hashed(without.algorithm, payload, run) });
  },

  /** A line of keys with the ledger's proof of every link, which has this key in it. */
  async lineage(
    { lineage, key, org, pins }: { lineage: object; key: { id: string; fingerprint: string }; org: string; pins: Pins },
    _: Run,
  ): Promise<LineageFindings | Refused> {
    const found = ofOrg(org, verifyLineage(lineage, { pins }));
    if (!found.ok || found.keys.some(({ id, fingerprint }) => id === key.id && fingerprint === key.fingerprint)) return found;
    return { ok: false, reason: `it is a line of other keys than ${key.id}` };
  },

  /** That an entry leads to a checkpoint's root, and that a key of the organisation's ledger signed that very checkpoint. */
  async entry(
    { proof, entry, keys, org, pins }: { proof: { checkpoint: Signed }; entry: { payload: object }; keys: Keys; org: string; pins: Pins },
    _: Run,
  ): Promise<Refused | (LedgerFindings & { digest: string })> {
    const included = verifyInclusion({ ...proof, entry });
    if (!included.ok) return included;
    const { treeSize, merkleRootHex, signatureBase64, signingKeyId, createdAt } = proof.checkpoint;
    const checkpoint = { treeSize, merkleRootHex, signatureBase64, signingKeyId, createdAt };
    const { signingKeys, successions } = keys;
    const found = ofOrg(org, verifyCheckpoint({ org, checkpoint, signingKeys, successions }, { pins }));
    return found.ok ? { ...found, digest: eventDigest(entry.payload) } : found;
  },

  /** One page of the ledger's bundle. */
  async page({ page, org, pins }: { page: object; org: string; pins: Pins }, _: Run): Promise<BundleFindings | Refused> {
    return ofOrg(org, await verifyBundle(page, { pins }));
  },

  /** The ledger to its newest checkpoint, as the vault gives it now. */
  async ledger(
    { credentials, org, pins }: { credentials: Credentials; org: string; pins: Pins },
    run: Run,
  ): Promise<BundleFindings | Refused> {
    const vault = new PostQ(credentials);
    let of: number | undefined;
    async function* pages() {
      for await (const page of vault.ledger.bundlePages({}, { signal: run.signal })) {
        of = page.range?.treeSize;
        yield page;
      }
    }
    return ofOrg(org, await verifyBundle(pages(), { pins, signal: run.signal, onProgress: ({ next }) => run.progress(next, of) }));
  },

  /** That pins are pins. */
  async pins({ pins }: { pins: Pins }, _: Run): Promise<void> {
    new BundleVerifier({ pins }).free();
  },

  /** A bundle's file: one document, or a page on each line. */
  async bundle({ file, pins }: { file: Blob; pins: Pins }, run: Run): Promise<BundleFindings | Refused> {
    const text = await file.text();
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const pages = lines.length > 1 && isJson(lines[0] ?? "") ? lines : [text];
    return verifyBundle(pages, { pins, signal: run.signal, onProgress: ({ entries }) => run.progress(entries) });
  },
};

export type Checks = typeof CHECKS;

/** What holds, but is about another organisation, does not hold for this one. */
function ofOrg<Findings extends { ok: true; org: string }>(org: string, found: Findings | Refused): Findings | Refused {
  return !found.ok || found.org === org ? found : { ok: false, reason: `it is the ledger of ${found.org}, and not of ${org}` };
}

async function hashed(algorithm: Algorithm, payload: Blob, { signal, progress }: Run): Promise<Uint8Array> {
  return hashStream(algorithm, payload, { signal, onProgress: (bytes) => progress(bytes, payload.size) });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
