import { PostQConnectionError, PostQError, PostQRequestError, errorOf } from "./errors.js";
import { OPERATIONS, type OperationId, type Success } from "./operations.js";

/** How to reach the vault. */
export interface PostQOptions {
  /** An API token, `pq_live_…` or `pq_test_…`. */
  apiKey: string;
  /** Where the API is, without `/v1`: https://api.postq.dev if left out. */
  baseUrl?: string;
  /** How long one attempt may take, in milliseconds: 30,000 if left out. */
  timeoutMs?: number;
  /** How often a call that may be repeated is repeated: 2 if left out. */
  maxRetries?: number;
  /** Takes an http address of another machine, where anybody on the way can read the token. */
  allowHttp?: boolean;
  /** Another `fetch` than the runtime's. */
  fetch?: typeof fetch;
}

/** What one call may have of its own. */
export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  maxRetries?: number;
  /**
   * The name of this effect, 1 to 255 characters: the same call with the same key has its effect once, and gets the same
   * answer. Every POST and PATCH has one; give your own where a retry may come from another process.
   */
  idempotencyKey?: string;
}

const OPTIONS: Record<keyof CallOptions, true> = { signal: true, timeoutMs: true, maxRetries: true, idempotencyKey: true };

interface Call {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
}

const DEFAULT_BASE_URL = "https://api.postq.dev";

/** Waits at most this long between attempts, whatever a server asks for. */
const LONGEST_WAIT_MS = 20_000;

/** Calls the API: one place for the token, retries, time limits and errors. */
export class Http {
  readonly #apiKey: string;
  readonly #baseUrl: string;
  readonly #timeoutMs: number;
  readonly #maxRetries: number;
  readonly #fetch: typeof fetch;

  constructor(options: PostQOptions) {
    const { apiKey, baseUrl = DEFAULT_BASE_URL, timeoutMs = 30_000, maxRetries = 2, allowHttp = false, fetch } = options;
    // A variable that is not set must not send the token elsewhere.
    if ("baseUrl" in options && options.baseUrl === undefined) {
      throw new PostQRequestError("`baseUrl` is undefined; leave it out for " + DEFAULT_BASE_URL, { code: "invalid_base_url" });
    }
    // A header that cannot be sent is named by the runtime with all that is in it.
    if (typeof apiKey !== "string" || !/^[\x21-\x7e]{8,}$/.test(apiKey)) {
      throw new PostQRequestError("`apiKey` is an API token: 8 or more printable characters without spaces", {
        code: "invalid_api_key",
      });
    }
    this.#apiKey = apiKey;
    this.#baseUrl = checkedUrl(baseUrl, allowHttp);
    this.#timeoutMs = timeoutMs;
    this.#maxRetries = maxRetries;
    this.#fetch = fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** The whole body of a success. */
  async call<Id extends OperationId>(id: Id, call: Call = {}, options: CallOptions = {}): Promise<Success<Id>> {
    // An option that is misspelt must not pass for one that was not wanted.
    const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
    if (unknown !== undefined) {
      throw new TypeError(`\`${unknown}\` is not an option of this call; it knows ${Object.keys(OPTIONS).join(", ")}`);
    }
    const [method, template] = OPERATIONS[id];
    const url = this.#baseUrl + filled(template, call.path) + queryText(call.query);
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#apiKey}`,
      accept: "application/json",
    };
    let body: string | undefined;
    if (method === "POST" || method === "PATCH") {
      headers["idempotency-key"] = options.idempotencyKey ?? `sdk-${randomName()}`;
    }
    if (call.body !== undefined) {
      headers["content-type"] = "application/json";
      body = JSON.stringify(call.body);
    }
    const request: RequestInit = { method, headers, redirect: "manual" };
    if (body !== undefined) request.body = body;

    const retries = options.maxRetries ?? this.#maxRetries;
    for (let attempt = 0; ; attempt += 1) {
      // Reads, deletions of what has an id, PUTs of something whole, POSTs and PATCHes with an idempotency key: every one of them may be sent again.
      const outcome = await this.#attempt(url, request, options);
      if (!(outcome instanceof PostQError)) return outcome as Success<Id>;
      if (attempt >= retries || !isTransient(outcome)) throw outcome;
      await wait(pause(attempt, outcome.retryAfter), options.signal);
    }
  }

  async #attempt(url: string, request: RequestInit, options: CallOptions): Promise<unknown> {
    options.signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(url, { ...request, signal });
      text = await response.text();
    } catch (cause) {
      options.signal?.throwIfAborted();
      return limit.aborted
        ? new PostQConnectionError(`no answer within ${timeoutMs} ms`, { code: "timeout" })
        : new PostQConnectionError(`no answer from ${new URL(url).origin}`, { code: "connection_failed", cause });
    }
    return read(response, text);
  }
}

/** 128 random bits. `randomUUID` is there on secure origins alone. */
function randomName(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read(response: Response, text: string): unknown {
  const requestId = response.headers.get("postq-request-id") ?? undefined;
  // The one answer that is a file of its own, without an envelope.
  if (response.ok && response.headers.get("content-type") === "application/x-pem-file") return { data: text };
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = parsed as Record<string, unknown>;
  } catch {
    // Not from the vault: a proxy's page, say. What follows says so.
  }
  if (response.ok && body["success"] === true && "data" in body) return body;
  if (response.ok || response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
    return new PostQRequestError("what answered is not a PostQ Vault; is `baseUrl` its address?", {
      code: "not_a_vault",
      status: response.status,
      requestId,
    });
  }
  const { success: _, error, code, requestId: named, ...details } = body;
  const said = typeof error === "string" ? error : `status ${response.status} without a reason`;
  return errorOf(response.status, said, {
    code: typeof code === "string" ? code : "unknown",
    requestId: typeof named === "string" ? named : requestId,
    retryAfter: seconds(response.headers.get("retry-after")),
    details,
  });
}

function isTransient(error: PostQError): boolean {
  if (error instanceof PostQConnectionError) return true;
  if (error.code === "idempotency_in_progress") return true;
  // A 502 with a code is a provider's refusal; one without is a gateway's.
  return [429, 503, 504].includes(error.status ?? 0) || (error.status === 502 && error.code === "unknown");
}

function pause(attempt: number, retryAfter: number | undefined): number {
  if (retryAfter !== undefined) return Math.min(retryAfter * 1000, LONGEST_WAIT_MS);
  return Math.random() * Math.min(250 * 2 ** attempt, LONGEST_WAIT_MS);
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

function seconds(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

function checkedUrl(text: string, allowHttp: boolean): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new PostQRequestError("`baseUrl` is an address such as https://vault.example.com", { code: "invalid_base_url" });
  }
  if (!["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new PostQRequestError("`baseUrl` is an http(s) address without user, query or fragment", { code: "invalid_base_url" });
  }
  if (url.protocol === "http:" && !allowHttp && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw new PostQRequestError("`baseUrl` on another machine is https: over http anybody on the way could read the token", {
      code: "invalid_base_url",
    });
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function filled(template: string, values: Record<string, string> = {}): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (typeof value !== "string" || value === "") {
      throw new PostQRequestError(`\`${name}\` is missing`, { code: "invalid_request" });
    }
    return encodeURIComponent(value);
  });
}

function queryText(query: Record<string, unknown> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) search.append(name, String(value));
  }
  const text = String(search);
  return text === "" ? "" : `?${text}`;
}
