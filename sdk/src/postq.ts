import type { PayloadStream } from "@postq/verifier";
import { PostQRequestError } from "./errors.js";
import { HybridKeys } from "./hybrid-keys.js";
import { type CallOptions, Http, type PostQOptions } from "./http.js";
import { Ledger } from "./ledger.js";
import type { Data } from "./operations.js";
import type { Algorithm, SignRequest, SignResponse, VerifyRequest, VerifyResponse, WhoamiResponse } from "./schema.js";
import { Policies } from "./policies.js";
import { Tokens } from "./tokens.js";
import { Vault } from "./vault.js";

/** Bytes, or base64 (RFC 4648 §4, padded) as the API takes it. */
export type BytesOrBase64 = Uint8Array | string;

/**
 * What to sign. Exactly one of `payload` and `prehash`. Payload and context are bytes: text is
 * `new TextEncoder().encode(text)`, and for base64 there is `hybridSign`.
 */
export interface SignInput extends Omit<SignRequest, "payload" | "prehash" | "context"> {
  payload?: Uint8Array;
  prehash?: BytesOrBase64;
  context?: Uint8Array;
}

/** What to sign, of any size: it is hashed here and never sent. */
export interface SignStreamInput extends Omit<SignInput, "payload" | "prehash"> {
  payload: PayloadStream;
  /** The key's algorithm, for a token that may sign but not read keys; without it the vault is asked. */
  algorithm?: Algorithm;
  onProgress?: (bytes: number) => void;
}

/** What to verify. Exactly one of `payload` and `prehash`, and of `keyId` and `publicKey`. */
export interface VerifyInput extends Omit<VerifyRequest, "payload" | "prehash" | "context" | "signature"> {
  payload?: Uint8Array;
  prehash?: BytesOrBase64;
  context?: Uint8Array;
  signature: BytesOrBase64;
  /**
   * Takes a signature of a revoked key for good although the ledger does not have it. Whoever stole the key may have made
   * it.
   */
  acceptUnlogged?: boolean;
}

/** What to verify, of any size: it is hashed here and never sent. */
export type VerifyStreamInput = Omit<VerifyInput, "payload" | "prehash"> &
  Pick<SignStreamInput, "payload" | "onProgress" | "algorithm">;

/** What verification found. */
export interface VerifyOutcome extends VerifyResponse {
  /** Both halves verify, and the signature is not one of a revoked key that the ledger does not have. */
  ok: boolean;
  /** Whether both halves verify: the mathematics alone. */
  signatureOk: boolean;
}

/** As the launch announcement has it: everything in base64. */
export interface HybridSignInput extends Omit<SignInput, "payload" | "prehash" | "context"> {
  payloadBase64: string;
  contextBase64?: string;
}

/** The same for verification. */
export interface HybridVerifyInput extends Omit<VerifyInput, "payload" | "prehash" | "context" | "signature"> {
  payloadBase64: string;
  signatureBase64: string;
  contextBase64?: string;
}

/** A PostQ Vault. */
export class PostQ {
  readonly hybridKeys: HybridKeys;
  readonly ledger: Ledger;
  readonly policies: Policies;
  readonly tokens: Tokens;
  readonly vault: Vault;
  readonly #http: Http;

  constructor(options: PostQOptions) {
    this.#http = new Http(options);
    this.hybridKeys = new HybridKeys(this.#http);
    this.ledger = new Ledger(this.#http);
    this.policies = new Policies(this.#http);
    this.tokens = new Tokens(this.#http);
    this.vault = new Vault(this.#http);
  }

  /** Signs with both halves. Scope `sign`. */
  async sign(input: SignInput, options?: CallOptions): Promise<SignResponse> {
    return (await this.#http.call("sign", { body: encoded(input) }, options)).data;
  }

  /**
   * Signs many payloads, so many at a time, and says of each what came of it, in order: one that fails takes none of the
   * others along.
   */
  async signMany(
    inputs: Iterable<SignInput>,
    { concurrency = 8, ...options }: Omit<CallOptions, "idempotencyKey"> & { concurrency?: number } = {},
  ): Promise<PromiseSettledResult<SignResponse>[]> {
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new PostQRequestError("`concurrency` is a whole number of 1 or more", { code: "invalid_request" });
    }
    const queue = [...inputs].entries();
    const results: PromiseSettledResult<SignResponse>[] = [];
    const worker = async () => {
      for (const [index, input] of queue) {
        [results[index]] = (await Promise.allSettled([this.sign(input, options)])) as [PromiseSettledResult<SignResponse>];
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return results;
  }

  /** Signs a file or a stream of any size. It is hashed here, by the hash of the key's algorithm, and stays here. */
  async signStream(
    { payload, onProgress, algorithm, ...input }: SignStreamInput,
    options: CallOptions = {},
  ): Promise<SignResponse> {
    keepErrors(payload);
    const { hashStream } = await import("@postq/verifier");
    const known = algorithm ?? (await this.hybridKeys.get(input.keyId, without(options))).algorithm;
    const prehash = await hashStream(known, payload, progress(options, onProgress));
    return this.sign({ ...input, prehash }, options);
  }

  /** Verifies by the API, which writes it to the ledger. Scope `verify`. A signature that does not hold is no error. */
  async verify({ acceptUnlogged, ...input }: VerifyInput, options?: CallOptions): Promise<VerifyOutcome> {
    return this.#verify(encoded(input), acceptUnlogged, options);
  }

  async #verify(body: VerifyRequest, acceptUnlogged = false, options?: CallOptions): Promise<VerifyOutcome> {
    const found: VerifyResponse = (await this.#http.call("verify", { body }, options)).data;
    const doubtful = found.keyStatus === "revoked" && found.logged !== true && !acceptUnlogged;
    const signatureOk = found.ok && found.classicalOk && found.pqOk;
    return { ...found, signatureOk, ok: signatureOk && !doubtful };
  }

  /** Verifies a file or a stream of any size: it is hashed here and stays here. */
  async verifyStream(
    { payload, onProgress, algorithm, ...input }: VerifyStreamInput,
    options: CallOptions = {},
  ): Promise<VerifyOutcome> {
    keepErrors(payload);
    const { describePublicKey, hashStream } = await import("@postq/verifier");
    const known =
      algorithm ??
      (input.publicKey
        ? describePublicKey(input.publicKey)
        : await this.hybridKeys.get(input.keyId ?? "", without(options))
      ).algorithm;
    const prehash = await hashStream(known, payload, progress(options, onProgress));
    return this.verify({ ...input, prehash }, options);
  }

  /** `hybridSign({keyId, payloadBase64})` gives `{signatureBase64, …}`. */
  async hybridSign(
    { payloadBase64, contextBase64, ...input }: HybridSignInput,
    options?: CallOptions,
  ): Promise<SignResponse & { signatureBase64: string }> {
    const body = { ...input, payload: payloadBase64, ...optional("context", contextBase64) };
    const signed: SignResponse = (await this.#http.call("sign", { body }, options)).data;
    return { ...signed, signatureBase64: signed.signature };
  }

  /** `hybridVerify({keyId, payloadBase64, signatureBase64})` gives `{ok, …}`. */
  hybridVerify(
    { payloadBase64, signatureBase64, contextBase64, acceptUnlogged, ...input }: HybridVerifyInput,
    options?: CallOptions,
  ): Promise<VerifyOutcome> {
    const body = { ...input, payload: payloadBase64, signature: signatureBase64, ...optional("context", contextBase64) };
    return this.#verify(body, acceptUnlogged, options);
  }

  /** Whose token this is, and what it may do. */
  async whoami(options?: CallOptions): Promise<WhoamiResponse> {
    return (await this.#http.call("whoami", {}, options)).data;
  }

  /** Whether the vault answers, and its version. */
  async health(options?: CallOptions): Promise<Data<"healthV1">> {
    return (await this.#http.call("healthV1", {}, options)).data;
  }
}

/** Bytes as the API takes them. */
function encoded<Body>(input: object): Body {
  const body = { ...input } as Record<string, unknown>;
  for (const name of ["payload", "context"]) {
    // "test" is text to whoever wrote it, and three other bytes to who reads it as base64.
    if (typeof body[name] === "string") {
      throw new PostQRequestError(`\`${name}\` is bytes; of text, \`new TextEncoder().encode(text)\``, { code: "invalid_request" });
    }
  }
  for (const name of ["payload", "prehash", "context", "signature"]) {
    const value = body[name];
    if (value instanceof Uint8Array) body[name] = base64(value);
  }
  return body as Body;
}

/** Node's streams tell of an error once; whoever is not listening yet loses the process, and is told again when they read. */
function keepErrors(payload: PayloadStream): void {
  const stream = payload as { on?: unknown };
  if (typeof stream.on === "function") stream.on("error", () => {});
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: Value });
}

/** A read beside the call that has the idempotency key. */
function without({ idempotencyKey: _, ...options }: CallOptions): CallOptions {
  return options;
}

function progress({ signal }: CallOptions, onProgress: ((bytes: number) => void) | undefined) {
  return { ...optional("signal", signal), ...optional("onProgress", onProgress) };
}
