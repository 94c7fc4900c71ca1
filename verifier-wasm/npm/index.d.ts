/** Bytes as JavaScript has them. Text is `new TextEncoder().encode(text)`, base64 is {@link fromBase64}. */
export type Bytes = Uint8Array | ArrayBuffer | ArrayBufferView;

/** The names of the algorithms: an ML-DSA parameter set (FIPS 204) and the classical half beside it. */
export type Algorithm =
  | "mldsa44+ed25519"
  | "mldsa44+ecdsa-p256"
  | "mldsa65+ed25519"
  | "mldsa65+ecdsa-p256"
  | "mldsa87+ed25519"
  | "mldsa87+ecdsa-p256";

/** A composite public key: the JSON string that the API gives, or what it parses to. */
export type PublicKey = string | { v: 1; alg: Algorithm; classical: string; pq: string };

/**
 * A document: JSON as text, as UTF-8 bytes, or parsed; by itself or in the API's envelope. Text or bytes as they were
 * received are best: what parses to an object has lost members of one name, which are refused here.
 */
export type Document = string | Bytes | object;

/** What you knew before you were handed a document. Keys inside a document never vouch for it. */
export interface Pins {
  /** The version of pins, 1. */
  v?: 1;
  /** Fingerprints of signers, 64 characters of lower-case hex: any key of a line, no later than the one that signed. */
  signers?: string[];
  /** Ledgers that you know. */
  ledgers?: LedgerPin[];
}

/** A ledger that you know. */
export interface LedgerPin {
  /** The organisation, `org_…`. */
  org: string;
  /** The fingerprint of any of its ledger keys, 64 characters of lower-case hex. */
  fingerprint: string;
  /**
   * Better still: the last checkpoint that you saw. A ledger that is shown not to continue it is refused as a fork; where
   * nothing shows either, `anchored.checkpoint` is null, and a consistency proof is what is missing.
   */
  checkpoint?: { treeSize: number; merkleRootHex: string };
}

/** What you knew, and how the ledger goes on from it. */
export interface Known {
  /** The pins, or a file of them as text. */
  pins?: Pins | string;
  /** The answer of `/v1/ledger/consistency` from a pinned checkpoint to the document's. */
  consistency?: { fromTreeSize: number; toTreeSize: number; proofHex: string[] } | string;
}

/** What pins vouch for. */
export interface Anchored {
  /** The signer's line goes through a pinned key no later than the one that signed. */
  signer: boolean;
  /** The checkpoint is signed by a pinned ledger key, or one that follows it. */
  ledger: boolean;
  /** The size of the largest pinned checkpoint that the ledger was shown to continue. */
  checkpoint: number | null;
}

/** A document that does not hold. */
export interface Refused {
  ok: false;
  /** The first thing that is wrong, in a sentence that names its place. */
  reason: string;
}

/** What a signature came to. */
export interface SignatureResult {
  /** Whether the signature holds: both halves do. */
  ok: boolean;
  /** Whether the classical half verifies. Never enough by itself. */
  classicalOk: boolean;
  /** Whether the ML-DSA half verifies. Never enough by itself. */
  pqOk: boolean;
  /** The key's algorithm. */
  algorithm: Algorithm;
  /** Why it does not hold. */
  reason?: string;
}

interface SignatureInput {
  /** Whose signature it is said to be. */
  publicKey: PublicKey;
  /** The signature, bytes or base64. */
  signature: Bytes | string;
  /** The context that it was made in, 0 to 255 bytes; empty where none was given. */
  context?: Bytes;
  /** `postq` (the default) is of fixed length; `lamps` is the IETF draft's encoding, with ECDSA in DER. */
  encoding?: "postq" | "lamps";
}

/** What to verify: a payload, or its digest by the algorithm's hash. */
export type VerifyInput = SignatureInput &
  ({ payload: Bytes; prehash?: undefined } | { prehash: Bytes | string; payload?: undefined });

/**
 * A payload that comes in pieces. A stream of which nothing comes is refused: it was read before. An empty payload is
 * `new Uint8Array()`, or an empty Blob.
 */
export type PayloadStream =
  | Bytes
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Bytes>
  | Iterable<Bytes>;

/** For what takes a while. */
export interface StreamOptions<Progress> {
  /** Ends the work with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each piece. */
  onProgress?: (progress: Progress) => void;
}

/** A ledger as far as one of its checkpoints shows it. */
export interface LedgerFindings {
  ok: true;
  /** Whose ledger it says it is. */
  org: string;
  /** How many entries the checkpoint covers. */
  treeSize: number;
  /** The root over them: pin it, with the size. */
  merkleRootHex: string;
  /** The fingerprint of the ledger key that signed the checkpoint. */
  ledgerFingerprint: string;
  anchored: Anchored;
}

/** A line of keys in which every link holds. */
export interface LineageFindings extends LedgerFindings {
  /** The keys, oldest first. */
  keys: { id: string; algorithm: Algorithm; fingerprint: string }[];
}

/** A bundle in which nothing is wrong. */
export interface BundleFindings extends LedgerFindings {
  /** The first entry that was checked. */
  since: number;
  /** How many were checked. */
  entries: number;
  /** Whether every entry from the first to the newest checkpoint was. */
  complete: boolean;
}

/** A receipt that holds. */
export interface ReceiptFindings {
  ok: true;
  org: string;
  /** The key that signed, `key_…`. */
  keyId: string;
  algorithm: Algorithm;
  /** The fingerprint of the key that signed. */
  fingerprint: string;
  /** The place of the event in the ledger. */
  seq: number;
  /** When the event was issued, by the operator's clock; RFC 3339 UTC. */
  issuedAt: string;
  /**
   * `logged before revocation`, `logged after revocation`, or `revocation unknown after checkpoint N`: a receipt can leave
   * a revocation out, and after checkpoint N it could not show one.
   */
  revocation: string;
  /** The digest that was signed, lower-case hex, by the hash that `phAlg` names. */
  ph: string;
  phAlg: "sha256" | "sha512";
  /** Whether a payload, or its digest, was given and is what was signed. Without, `ok` is about the digest `ph` alone. */
  messageChecked: boolean;
  treeSize: number;
  ledgerFingerprint: string;
  anchored: Anchored;
}

/** What a page came to. */
export type PageResult = { ok: true; /** The entry that comes next. */ next: number; entries: number } | Refused;

/** The codes of {@link VerifierError}. They stay. */
export type VerifierErrorCode =
  | "malformed_base64"
  | "malformed_context"
  | "malformed_document"
  | "malformed_input"
  | "malformed_pins"
  | "malformed_prehash"
  | "malformed_public_key"
  | "unknown_algorithm"
  | "unknown_encoding"
  | "not_initialized"
  | "internal";

/** Input that is no input. A signature or a document that does not hold is a result, not an error. */
export class VerifierError extends Error {
  constructor(code: VerifierErrorCode, message: string, options?: ErrorOptions);
  readonly code: VerifierErrorCode;
}

/**
 * Verifies a signature over a payload, or over its digest. Both halves are always checked.
 *
 * @throws {VerifierError} where the key, the context, the digest or the encoding's name is malformed. A signature of any
 *   bytes at all is a result.
 */
export function verify(input: VerifyInput): SignatureResult;

/** Verifies a signature over a payload of any size, hashed as it comes. */
export function verifyStream(
  input: SignatureInput & { payload: PayloadStream },
  options?: StreamOptions<number>,
): Promise<SignatureResult>;

/** The digest of a payload of any size, by the algorithm's hash: 32 bytes for `mldsa44+ecdsa-p256`, else 64. */
export function hashStream(
  algorithm: Algorithm,
  payload: PayloadStream,
  options?: StreamOptions<number>,
): Promise<Uint8Array>;

/** The algorithm's hash over pieces that you hand in yourself. */
export class Hasher {
  constructor(algorithm: Algorithm);
  /** Takes the next piece. */
  update(piece: Bytes): this;
  /** The digest of the pieces so far. */
  digest(): Uint8Array;
  /** Gives the memory back before the garbage collector does. */
  free(): void;
}

/** What a public key is. Its fingerprint is SHA-256 over both halves, ML-DSA first. */
export function describePublicKey(publicKey: PublicKey): { algorithm: Algorithm; fingerprint: string };

/** Verifies a lineage: every key of a line, and the ledger's proof of every link. */
export function verifyLineage(lineage: Document, known?: Known): LineageFindings | Refused;

/** Verifies a receipt; the vault gives it without the signature, which goes in here or into the file. */
export function verifyReceipt(
  receipt: Document,
  options?: Known & {
    /** The signature, bytes or base64, where the file has none. */
    signature?: Bytes | string;
    /** What was signed. Without it the signature is checked over the digest that the ledger has. */
    payload?: Bytes;
    /** Its digest, by the algorithm's hash, for what was hashed as it came. */
    prehash?: Bytes | string;
  },
): ReceiptFindings | Refused;

/** Verifies a checkpoint and the ledger's keys: `{org, checkpoint, signingKeys, successions}`. */
export function verifyCheckpoint(evidence: Document, known?: Known): LedgerFindings | Refused;

/**
 * Verifies that an entry stands in a tree: the answer of `/v1/ledger/proof/{eventId}`, with the `entry` beside it or, without,
 * about a leaf's hash alone. Whether the checkpoint is to be believed is {@link verifyCheckpoint}'s to say.
 */
export function verifyInclusion(proof: Document): { ok: true } | Refused;

/**
 * Verifies that one tree is the beginning of another: `{from, to, proofHex}`, where `from` and `to` are
 * `{treeSize, merkleRootHex}`.
 */
export function verifyConsistency(proof: Document): { ok: true } | Refused;

/**
 * The digest of the event that an entry's `payload` tells of, 64 characters of lower-case hex: what `sign` gave as `eventDigest`,
 * unless the entry says something else than the signer was told.
 */
export function eventDigest(payload: Document): string;

/** Verifies a bundle page by page. */
export class BundleVerifier {
  constructor(known?: { pins?: Pins | string });
  /** Checks the next page; a whole bundle is one page. After a page that does not hold, the verifier is where it was. */
  page(page: Document): PageResult;
  /** What was found. The verifier is then finished. */
  finish(): BundleFindings | Refused;
  /** Gives the memory back before the garbage collector does. */
  free(): void;
}

/**
 * Verifies a bundle, or its pages as they come, and lets the page paint and answer between them. For a large ledger ask the
 * API for pages: one document is checked at once.
 */
export function verifyBundle(
  source: Document | AsyncIterable<Document> | Iterable<Document>,
  options?: StreamOptions<{ entries: number; next: number }> & { pins?: Pins | string },
): Promise<BundleFindings | Refused>;

/** Reads base64 (RFC 4648 §4, padded). @throws {VerifierError} `malformed_base64` */
export function fromBase64(base64: string): Uint8Array;

/** Writes base64 (RFC 4648 §4, padded). */
export function toBase64(data: Bytes): string;

/**
 * Each half by itself, for running standard test vectors. A half that verifies says nothing about a hybrid signature: never
 * decide by these.
 */
export const halves: {
  /** Pure ML-DSA (FIPS 204 §5.3) of parameter set 44, 65 or 87. */
  verifyMlDsa(set: 44 | 65 | 87, publicKey: Uint8Array, message: Uint8Array, context: Uint8Array, signature: Uint8Array): boolean;
  /** Ed25519 (RFC 8032), strictly. */
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** ECDSA over P-256 with SHA-256: an uncompressed point, r‖s. */
  verifyEcdsaP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** The same, the signature in DER. */
  verifyEcdsaP256Der(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
};
