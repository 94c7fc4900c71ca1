// The interface that people program against. Everything that is decided is decided in the module; here, what JavaScript
// hands over becomes bytes and text, and what comes back becomes objects.

import * as wasm from "#glue";

let initialized = false;

export function initialize(module) {
  if (initialized) return;
  wasm.initSync({ module });
  initialized = true;
}

export async function initializeAsync(source) {
  if (initialized) return;
  initialize(await compile(await source));
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok) {
      throw new VerifierError("not_initialized", `the module could not be fetched: status ${source.status} of ${source.url}`);
    }
    const streams = source.headers.get("content-type")?.split(";")[0] === "application/wasm";
    return streams ? WebAssembly.compileStreaming(source) : WebAssembly.compile(await source.arrayBuffer());
  }
  return WebAssembly.compile(source);
}

export class VerifierError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "VerifierError";
    this.code = code;
  }
}

export function describePublicKey(publicKey) {
  return JSON.parse(call(() => wasm.describePublicKey(publicKeyText(publicKey))));
}

export function verify(input) {
  const { publicKey, payload, prehash, context, signature, encoding = "postq" } = options(input, "verify", SIGNATURE);
  text(encoding, "encoding");
  const key = publicKeyText(publicKey);
  const [sure, under] = [bytesOrBase64(signature, "signature"), bytesOrNone(context, "context")];
  if ((payload === undefined) === (prehash === undefined)) {
    throw new VerifierError("malformed_input", "give either `payload` or `prehash`");
  }
  return JSON.parse(
    call(() =>
      payload === undefined
        ? wasm.verifyPrehash(key, bytesOrBase64(prehash, "prehash"), under, encoding, sure)
        : wasm.verifyPayload(key, bytes(payload, "payload"), under, encoding, sure),
    ),
  );
}

export async function verifyStream(input, { signal, onProgress } = {}) {
  const { payload, ...rest } = options(input, "verifyStream", SIGNATURE);
  const { algorithm } = describePublicKey(rest.publicKey);
  return verify({ ...rest, prehash: await hashStream(algorithm, payload, { signal, onProgress }) });
}

export async function hashStream(algorithm, source, { signal, onProgress } = {}) {
  const hasher = new Hasher(algorithm);
  try {
    let [total, pieces] = [0, 0];
    for await (const chunk of chunks(source)) {
      signal?.throwIfAborted();
      const piece = bytes(chunk, "a chunk of the payload");
      hasher.update(piece);
      total += piece.length;
      pieces += 1;
      onProgress?.(total);
    }
    signal?.throwIfAborted();
    const empty = typeof Blob === "function" && source instanceof Blob && source.size === 0;
    if (pieces === 0 && !empty) {
      throw new VerifierError(
        "malformed_input",
        "nothing came: the payload's stream was read before; an empty payload is `new Uint8Array()`",
      );
    }
    return hasher.digest();
  } finally {
    hasher.free();
  }
}

export class Hasher {
  #inner;

  constructor(algorithm) {
    this.#inner = call(() => new wasm.Hasher(text(algorithm, "algorithm")));
  }

  update(piece) {
    const data = bytes(piece, "a piece of the payload");
    call(() => this.#alive().update(data));
    return this;
  }

  digest() {
    return call(() => this.#alive().digest());
  }

  free() {
    this.#inner?.free();
    this.#inner = undefined;
  }

  #alive() {
    return this.#inner ?? gone("hasher");
  }
}

export function verifyLineage(lineage, known = {}) {
  return JSON.parse(call(() => wasm.checkLineage(documentText(lineage), knownText(known))));
}

export function verifyReceipt(receipt, given = {}) {
  const { signature, payload, prehash, ...known } = options(given, "verifyReceipt", RECEIPT);
  for (const name of ["payload", "prehash"]) {
    // What was meant to be checked and is not there must not pass for what nobody meant to check.
    if (name in given && given[name] === undefined) {
      throw new VerifierError("malformed_input", `\`${name}\` is undefined; leave it out to check the receipt without it`);
    }
  }
  if (payload !== undefined && prehash !== undefined) {
    throw new VerifierError("malformed_input", "give `payload` or `prehash`, not both");
  }
  const [kind, message] =
    payload !== undefined
      ? ["payload", bytes(payload, "payload")]
      : prehash !== undefined
        ? ["prehash", bytesOrBase64(prehash, "prehash")]
        : ["unknown", new Uint8Array()];
  const base64 = signature === undefined ? undefined : toBase64(bytesOrBase64(signature, "signature"));
  return JSON.parse(call(() => wasm.checkReceipt(documentText(receipt), base64, kind, message, knownText(known))));
}

export function verifyCheckpoint(evidence, known = {}) {
  return JSON.parse(call(() => wasm.checkCheckpoint(documentText(evidence), knownText(known))));
}

export function verifyInclusion(proof) {
  return JSON.parse(call(() => wasm.checkInclusion(documentText(proof))));
}

export function verifyConsistency(proof) {
  return JSON.parse(call(() => wasm.checkConsistency(documentText(proof))));
}

export function eventDigest(payload) {
  return call(() => wasm.eventDigest(documentText(payload)));
}

export class BundleVerifier {
  #inner;

  constructor(given = {}) {
    const { pins } = options(given, "BundleVerifier", ["pins"]);
    this.#inner = call(() => new wasm.BundleVerifier(knownText({ pins })));
  }

  page(page) {
    return JSON.parse(call(() => this.#alive().page(documentText(page))));
  }

  finish() {
    const inner = this.#alive();
    this.#inner = undefined;
    return JSON.parse(call(() => inner.finish()));
  }

  free() {
    this.#inner?.free();
    this.#inner = undefined;
  }

  #alive() {
    return this.#inner ?? gone("bundle verifier");
  }
}

export async function verifyBundle(source, given = {}) {
  const { pins, signal, onProgress } = options(given, "verifyBundle", ["pins", "signal", "onProgress"]);
  const verifier = new BundleVerifier({ pins });
  try {
    let entries = 0;
    for await (const page of pages(source)) {
      signal?.throwIfAborted();
      const checked = verifier.page(page);
      if (!checked.ok) return checked;
      entries += checked.entries;
      onProgress?.({ entries, next: checked.next });
      await breathe();
    }
    signal?.throwIfAborted();
    return verifier.finish();
  } finally {
    verifier.free();
  }
}

export function fromBase64(base64) {
  if (typeof base64 !== "string" || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new VerifierError("malformed_base64", "base64 here is that of RFC 4648 §4, with its padding");
  }
  const binary = atob(base64);
  const data = new Uint8Array(binary.length);
  for (let at = 0; at < data.length; at += 1) data[at] = binary.charCodeAt(at);
  return data;
}

export function toBase64(data) {
  const array = bytes(data, "data");
  let binary = "";
  for (let at = 0; at < array.length; at += 0x8000) {
    binary += String.fromCharCode(...array.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

// Each half by itself, for standard test vectors.
export const halves = {
  verifyMlDsa: (set, publicKey, message, context, signature) =>
    call(() => wasm.verifyMlDsa(set, publicKey, message, context, signature)),
  verifyEd25519: (publicKey, message, signature) => call(() => wasm.verifyEd25519(publicKey, message, signature)),
  verifyEcdsaP256: (publicKey, message, signature) => call(() => wasm.verifyEcdsaP256(publicKey, message, signature)),
  verifyEcdsaP256Der: (publicKey, message, signature) =>
    call(() => wasm.verifyEcdsaP256Der(publicKey, message, signature)),
};

function call(work) {
  if (!initialized) {
    throw new VerifierError("not_initialized", "call `initialize` with the compiled module first");
  }
  try {
    return work();
  } catch (error) {
    if (error instanceof VerifierError) throw error;
    if (typeof error?.code === "string") throw new VerifierError(error.code, error.message);
    throw new VerifierError("internal", "the verifier failed; this is a fault of it", { cause: error });
  }
}

function gone(what) {
  throw new VerifierError("malformed_input", `this ${what} is finished; make another`);
}

const SIGNATURE = ["publicKey", "payload", "prehash", "context", "signature", "encoding"];
const KNOWN = ["pins", "consistency"];
const RECEIPT = [...KNOWN, "signature", "payload", "prehash"];

/** An option that is not known is a check that its caller believes is made. */
function options(input, name, allowed) {
  if (typeof input !== "object" || input === null) {
    throw new VerifierError("malformed_input", `${name} is given as an object`);
  }
  const unknown = Object.keys(input).find((option) => !allowed.includes(option));
  if (unknown !== undefined) {
    throw new VerifierError("malformed_input", `\`${unknown}\` is no option of ${name}; it knows ${allowed.join(", ")}`);
  }
  return input;
}

function text(value, what) {
  if (typeof value !== "string") throw new VerifierError("malformed_input", `\`${what}\` is a string`);
  return value;
}

function publicKeyText(publicKey) {
  if (typeof publicKey === "string") return publicKey;
  if (typeof publicKey === "object" && publicKey !== null) return jsonText(publicKey, "malformed_public_key");
  throw new VerifierError("malformed_public_key", "`publicKey` is the JSON string that the API gives, or what it parses to");
}

function documentText(document) {
  if (typeof document === "string") return document;
  const data = asBytes(document);
  if (data) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch {
      throw new VerifierError("malformed_document", "a document is JSON in UTF-8");
    }
  }
  if (typeof document === "object" && document !== null) return jsonText(document, "malformed_document");
  throw new VerifierError("malformed_document", "a document is JSON: a string, its bytes, or what it parses to");
}

function knownText(known) {
  const { pins, consistency } = options(known, "what you know", KNOWN);
  const parsed = (value, code) => {
    if (typeof value !== "string") return value;
    try {
      return JSON.parse(value);
    } catch (error) {
      throw new VerifierError(code, error.message);
    }
  };
  const proof = parsed(consistency, "malformed_document");
  const all = { pins: parsed(pins, "malformed_pins"), consistency: proof?.success ? proof.data : proof };
  return jsonText(all, "malformed_pins");
}

function jsonText(value, code) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new VerifierError(code, `it cannot be written as JSON: ${error.message}`);
  }
}

function asBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  // By its tag: a buffer may come from another realm.
  if (Object.prototype.toString.call(value) === "[object ArrayBuffer]") return new Uint8Array(value);
  return undefined;
}

function bytes(value, what) {
  const data = asBytes(value);
  if (!data) {
    throw new VerifierError(
      "malformed_input",
      `\`${what}\` is bytes; of text, \`new TextEncoder().encode(text)\`, of base64, \`fromBase64(text)\``,
    );
  }
  return data;
}

function bytesOrNone(value, what) {
  return value === undefined || value === null ? new Uint8Array() : bytes(value, what);
}

function bytesOrBase64(value, what) {
  return typeof value === "string" ? fromBase64(value) : bytes(value, what);
}

async function* chunks(source) {
  if (typeof Blob === "function" && source instanceof Blob) source = source.stream();
  else if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok || source.bodyUsed) {
      const why = source.ok ? "its body was read before" : `its status is ${source.status}`;
      throw new VerifierError("malformed_input", `the response is not the payload: ${why}`);
    }
    source = source.body ?? [];
  }
  const data = asBytes(source);
  if (data) {
    yield data;
  } else if (source?.[Symbol.asyncIterator] || source?.[Symbol.iterator]) {
    yield* source;
  } else if (typeof source?.getReader === "function") {
    // Streams are not iterable everywhere yet.
    const reader = source.getReader();
    let finished = false;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        finished = done;
        if (done) return;
        yield value;
      }
    } finally {
      if (!finished) await reader.cancel();
      reader.releaseLock();
    }
  } else {
    throw new VerifierError("malformed_input", "a payload to stream is a Blob, a ReadableStream, or an iterable of bytes");
  }
}

async function* pages(source) {
  if (typeof source === "string" || asBytes(source)) yield source;
  else if (source?.[Symbol.asyncIterator] || source?.[Symbol.iterator]) yield* source;
  else yield source;
}

/** Lets the page paint and answer between two pieces of work: a task of its own, behind those that wait. */
function breathe() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
