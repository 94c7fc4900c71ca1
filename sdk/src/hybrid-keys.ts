import type { CallOptions, Http } from "./http.js";
import type { Data, Query } from "./operations.js";
import { type List, list } from "./pages.js";
import type { AuditRow, CreateKeyRequest, Key, KeyWithPublicKey, Lineage, RevokeKeyResponse, RotateKeyRequest } from "./schema.js";

/** Hybrid keys: `postq.hybridKeys`. */
export class HybridKeys {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Makes a key. Scope `keys:write`. */
  async create(request: CreateKeyRequest, options?: CallOptions): Promise<KeyWithPublicKey> {
    return (await this.#http.call("createKey", { body: request }, options)).data;
  }

  /** Keys, newest first: await it for a page, iterate for all. Scope `keys:read`. */
  list(query: Query<"listKeys"> & { cursor?: string } = {}, options: CallOptions = {}): List<Key> {
    return list(query, options, (query, options) => this.#http.call("listKeys", { query }, options));
  }

  /** One key. Scope `keys:read`. */
  async get(id: string, options?: CallOptions): Promise<KeyWithPublicKey> {
    return (await this.#http.call("getKey", { path: { id } }, options)).data;
  }

  /** A key's public key: as JSON with its fingerprint, or as PEM, which is a string. Scope `keys:read`. */
  async publicKey(id: string, query: { format: "pem" }, options?: CallOptions): Promise<string>;
  async publicKey(id: string, query?: { format?: "json" }, options?: CallOptions): Promise<Data<"publicKey">>;
  async publicKey(id: string, query: Query<"publicKey"> = {}, options?: CallOptions): Promise<Data<"publicKey"> | string> {
    return (await this.#http.call("publicKey", { path: { id }, query }, options)).data;
  }

  /** Has a new key follow this one, which then verifies and signs no more. Scope `keys:write`. */
  async rotate(id: string, request: RotateKeyRequest = {}, options?: CallOptions): Promise<KeyWithPublicKey> {
    return (await this.#http.call("rotateKey", { path: { id }, body: request }, options)).data;
  }

  /** Revokes a key for ever. Scope `keys:write`. */
  async revoke(id: string, options?: CallOptions): Promise<RevokeKeyResponse> {
    return (await this.#http.call("revokeKey", { path: { id } }, options)).data;
  }

  /** The line that a key stands in, with all that is needed to verify it offline. Scope `keys:read`. */
  async lineage(id: string, options?: CallOptions): Promise<Lineage> {
    return (await this.#http.call("keyLineage", { path: { id } }, options)).data;
  }

  /** What the ledger has of a key, newest first. Scope `audit:read`. */
  audit(id: string, query: { limit?: number; cursor?: string } = {}, options: CallOptions = {}): List<AuditRow> {
    return list(query, options, (query, options) => this.#http.call("keyAudit", { path: { id }, query }, options));
  }
}
