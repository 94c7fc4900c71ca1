// What is checked in this browser, by `@postq/verifier` in a Worker: the functions that the Worker has, and nothing about how they
// are called.

import { PostQ } from "@postq/sdk";
import {
  type Algorithm,
  type BundleFindings,
  describePublicKey,
  eventDigest,
  fromBase64,
  hashStream,
  type LineageFindings,
  type Pins,
  type ReceiptFindings,
  type Refused,
  type SignatureResult,
  verify,
  verifyBundle,
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

  /** A line of keys with the ledger's proof of every link. */
  async lineage({ lineage, pins }: { lineage: object; pins: Pins }, _: Run): Promise<LineageFindings | Refused> {
    return verifyLineage(lineage, { pins });
  },

  /** That an entry leads to a checkpoint's root, and that the ledger's key signed that checkpoint. */
  async entry(
    { proof, entry, page, pins }: { proof: object; entry: { id: string; payload: object }; page: object; pins: Pins },
    _: Run,
  ): Promise<Refused | (BundleFindings & { digest: string })> {
    const included = verifyInclusion({ ...proof, entry });
    if (!included.ok) return included;
    const found = await verifyBundle(page, { pins });
    return found.ok ? { ...found, digest: eventDigest(entry.payload) } : found;
  },

  /** The ledger from one of its places to its newest checkpoint, as the vault gives it now. */
  async ledger(
    { credentials, since, pins }: { credentials: Credentials; since: number; pins: Pins },
    run: Run,
  ): Promise<BundleFindings | Refused> {
    const vault = new PostQ(credentials);
    let of: number | undefined;
    async function* pages() {
      for await (const page of vault.ledger.bundlePages({ since }, { signal: run.signal })) {
        of = page.range?.treeSize;
        yield page;
      }
    }
    return verifyBundle(pages(), { pins, signal: run.signal, onProgress: ({ next }) => run.progress(next - since, of && of - since) });
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

/** Base64 as people paste it: in lines, or with spaces around it. */
export function pasted(base64: string): Uint8Array {
  return fromBase64(base64.replace(/\s+/g, ""));
}
