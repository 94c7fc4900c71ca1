import type { BundleFindings, Known } from "@postq/verifier";
import { PostQConflictError, PostQLedgerError } from "./errors.js";
import type { CallOptions, Http } from "./http.js";
import type { Query } from "./operations.js";
import { type List, list } from "./pages.js";
import type {
  AppendRequest,
  Bundle,
  ConsistencyProof,
  InclusionProof,
  LedgerCheckpoint,
  LedgerEntry,
  Receipt,
  SealResponse,
  UsageResponse,
} from "./schema.js";

/** The audit ledger: `postq.ledger`. */
export class Ledger {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Entries, oldest first from `since`. Scope `audit:read`, as all that reads here. */
  entries(query: Query<"ledgerEntries"> & { cursor?: string } = {}, options: CallOptions = {}): List<LedgerEntry> {
    return list(query, options, (query, options) => this.#http.call("ledgerEntries", { query }, options));
  }

  /** Appends an event of your own, and answers with its entry. Scope `audit:write`. */
  async append(request: AppendRequest, options?: CallOptions): Promise<LedgerEntry> {
    return (await this.#http.call("appendLedgerEntry", { body: request }, options)).data;
  }

  /** Signs a checkpoint over everything so far, where there is something new. Scope `audit:write`. */
  async seal(options?: CallOptions): Promise<SealResponse> {
    return (await this.#http.call("sealLedger", { body: {} }, options)).data;
  }

  /** Checkpoints, newest first. */
  checkpoints(query: { limit?: number; cursor?: string } = {}, options: CallOptions = {}): List<LedgerCheckpoint> {
    return list(query, options, (query, options) => this.#http.call("ledgerCheckpoints", { query }, options));
  }

  /** The newest checkpoint; null before the first. */
  async latestCheckpoint(options?: CallOptions): Promise<LedgerCheckpoint | null> {
    return (await this.#http.call("latestLedgerCheckpoint", {}, options)).data ?? null;
  }

  /** That an event is in the ledger; seals first where no checkpoint covers it. */
  async proof(eventId: string, options?: CallOptions): Promise<InclusionProof> {
    return (await this.#http.call("ledgerProof", { path: { eventId } }, options)).data;
  }

  /** That one checkpoint continues another. */
  async consistency(query: Query<"ledgerConsistency">, options?: CallOptions): Promise<ConsistencyProof> {
    return (await this.#http.call("ledgerConsistency", { query }, options)).data;
  }

  /** All that a verifier needs, or one page of it. */
  async bundle(query: Query<"ledgerBundle"> = {}, options?: CallOptions): Promise<Bundle> {
    return (await this.#http.call("ledgerBundle", { query }, options)).data;
  }

  /**
   * The bundle's pages to the end, as `verifyBundle` of `@postq/sdk/offline` takes them. A page of 1,000 entries is verified in
   * some 30 ms, so a browser stays responsive; 5,000 is the most.
   */
  async *bundlePages(query: { since?: number; limit?: number } = {}, options?: CallOptions): AsyncGenerator<Bundle> {
    const { limit = 1000 } = query;
    for (let since = query.since ?? 0; ; ) {
      const page = await this.bundle({ since, limit }, options);
      yield page;
      const { range } = page;
      if (!range || range.until + 1 >= range.treeSize) return;
      since = range.until + 1;
    }
  }

  /**
   * The evidence for a signature. Give it the signature and it is complete, and checked here to be: keep it beside what was
   * signed.
   *
   * @throws {PostQLedgerError} `ledger_mismatch` where the evidence does not fit the signature
   */
  async receipt(eventId: string, { signature, ...options }: CallOptions & { signature?: string } = {}): Promise<Receipt> {
    const receipt = (await this.#http.call("receipt", { path: { eventId } }, options)).data;
    if (signature === undefined) return receipt;
    const complete = { ...receipt, signatureBase64: signature };
    const { verifyReceipt } = await import("@postq/verifier");
    const found = verifyReceipt(complete);
    if (!found.ok) {
      throw new PostQLedgerError(`the evidence for ${eventId} does not fit this signature: ${found.reason}`, { code: "ledger_mismatch" });
    }
    return complete;
  }

  /** Keys by status and tier, and signatures a day. */
  async usage(query: Query<"usage"> = {}, options?: CallOptions): Promise<UsageResponse> {
    return (await this.#http.call("usage", { query }, options)).data;
  }

  /**
   * Makes sure that the ledger has an event as `sign` told of it: asks for the proof and checks all of it here. Where it
   * cannot be shown, it fails loudly, and what you were told is the evidence. With pins it fails as well where the ledger
   * is not anchored by them.
   *
   * @throws {PostQLedgerError} `ledger_mismatch` or `ledger_unanchored`
   */
  async confirm(
    eventId: string,
    eventDigest: string,
    { pins, ...options }: CallOptions & Pick<Known, "pins"> = {},
  ): Promise<BundleFindings & { seq: number }> {
    const mismatch = (why: string, cause?: unknown) =>
      new PostQLedgerError(`the ledger does not show event ${eventId} as it was told: ${why}`, { code: "ledger_mismatch", cause });
    const { eventDigest: digestOf, verifyBundle } = await import("@postq/verifier");
    let seq: number;
    try {
      seq = (await this.proof(eventId, options)).leafIndex;
    } catch (error) {
      if (error instanceof PostQConflictError || (error as { status?: number }).status === 404) {
        throw mismatch("it has no such event", error);
      }
      throw error;
    }
    const page = await this.bundle({ since: seq, limit: 1 }, options);
    const entry = page.entries.find((entry) => entry.seq === seq);
    if (entry?.id !== eventId) throw mismatch(`entry ${seq} is of another event`);
    const found = digestOf(entry.payload);
    if (found !== eventDigest) throw mismatch(`its digest is ${found}`);
    const checked = await verifyBundle(page, pins === undefined ? {} : { pins });
    if (!checked.ok) throw mismatch(checked.reason);
    if (pins !== undefined && !checked.anchored.ledger) {
      throw new PostQLedgerError(
        `the ledger that shows event ${eventId} is signed by a key that you have not pinned (${checked.ledgerFingerprint})`,
        { code: "ledger_unanchored" },
      );
    }
    return { ...checked, seq };
  }
}
