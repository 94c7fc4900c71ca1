// What @postq/verifier does with input that is no input, and what its other entries are.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as verifier from "@postq/verifier";
import * as slim from "@postq/verifier/slim";
import { PACKAGE } from "./lib/runtimes.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vectors = JSON.parse(await readFile(join(root, "tests/vectors/composite.json"), "utf8"));
const example = (name) => readFile(join(root, "examples/receipt", name));
const vector = vectors.tests.find(({ algorithm }) => algorithm === "mldsa44+ecdsa-p256");
const { fromBase64, verify } = verifier;
const input = {
  publicKey: JSON.stringify({ v: 1, alg: vector.algorithm, classical: vector.classical, pq: vector.pq }),
  payload: fromBase64(vectors.payload),
  signature: vector.signature,
  encoding: "lamps",
};

const throws = (work, code) => assert.throws(work, (error) => error instanceof verifier.VerifierError && error.code === code, code);

test("every code of a VerifierError has its reason", () => {
  assert.equal(verify(input).ok, true);
  for (const publicKey of ["", "{}", input.publicKey.replace("mldsa44", "mldsa45"), input.publicKey.replace(":1", ":2"), 7, null, { v: 1n }]) {
    throws(() => verify({ ...input, publicKey }), "malformed_public_key");
  }
  throws(() => verify({ ...input, context: new Uint8Array(256) }), "malformed_context");
  throws(() => verify({ ...input, payload: undefined, prehash: new Uint8Array(64) }), "malformed_prehash");
  throws(() => verify({ ...input, signature: "AA" }), "malformed_base64");
  throws(() => verify({ ...input, encoding: "der" }), "unknown_encoding");
  throws(() => new verifier.Hasher("rsa"), "unknown_algorithm");
  for (const wrong of [{ payload: "text" }, { prehash: new Uint8Array(32) }, { payload: undefined }, { signature: null }, { encoding: null }, { context: "x" }]) {
    throws(() => verify({ ...input, ...wrong }), "malformed_input");
  }
  throws(() => verify(null), "malformed_input");
  throws(() => verify({ ...input, contxt: new Uint8Array() }), "malformed_input");
  throws(() => verifier.verifyReceipt("{}", { paylod: new Uint8Array() }), "malformed_input");
  throws(() => verifier.verifyReceipt("{}", { payload: undefined }), "malformed_input");
  throws(() => verifier.verifyReceipt("{}", null), "malformed_input");
  throws(() => verifier.verifyLineage("{}", null), "malformed_input");
  const circular = {};
  circular.self = circular;
  for (const document of ["", "nonsense", "[]", "{}", Uint8Array.of(0xff), 7, null, circular, { v: 1n }]) {
    throws(() => verifier.verifyReceipt(document), "malformed_document");
  }
  for (const pins of ["nonsense", { v: 2 }, { signers: ["00"] }, { unknown: 1 }, { ledgers: [{}] }]) {
    throws(() => verifier.verifyReceipt("{}", { pins }), pins === "nonsense" ? "malformed_pins" : "malformed_document");
  }
});

test("a signature of any bytes is a result", () => {
  for (const signature of [new Uint8Array(), new Uint8Array(2484), new Uint8Array(9000), "AAAA"]) {
    const { ok, classicalOk, pqOk, algorithm, reason } = verify({ ...input, signature });
    assert.deepEqual([ok, classicalOk, pqOk, algorithm, typeof reason], [false, false, false, vector.algorithm, "string"]);
  }
});

test("pieces hash as the whole does, however they come", async () => {
  const hasher = new verifier.Hasher(vector.algorithm);
  for (const byte of input.payload) hasher.update(Uint8Array.of(byte));
  const whole = await verifier.hashStream(vector.algorithm, input.payload);
  assert.deepEqual(hasher.digest(), whole);
  hasher.free();
  throws(() => hasher.digest(), "malformed_input");
  assert.equal(verify({ ...input, payload: undefined, prehash: whole }).ok, true);
  const streams = [new Blob([input.payload]), new Response(input.payload), new Blob([input.payload]).stream(), [input.payload], input.payload.buffer.slice(0)];
  for (const payload of streams) assert.equal((await verifier.verifyStream({ ...input, payload })).ok, true);
  assert.equal((await verifier.hashStream(vector.algorithm, new Uint8Array())).length, 32);
  assert.equal((await verifier.hashStream(vector.algorithm, new Blob())).length, 32);
  await assert.rejects(verifier.hashStream(vector.algorithm, []), (error) => error.code === "malformed_input");
  await assert.rejects(verifier.verifyStream({ ...input, payload: 7 }), (error) => error.code === "malformed_input");
  const reason = new Error("enough");
  const endless = (function* () {
    for (;;) yield new Uint8Array(1024);
  })();
  const controller = new AbortController();
  const onProgress = (bytes) => bytes > 10_000 && controller.abort(reason);
  await assert.rejects(verifier.hashStream(vector.algorithm, endless, { signal: controller.signal, onProgress }), (error) => error === reason);
});

test("two members of one name are refused wherever they stand", async () => {
  const text = (await example("hello.postq.json")).toString();
  assert.equal(verifier.verifyReceipt(text).ok, true);
  throws(() => verifier.verifyReceipt(text.replace("{", '{"org":"org_evil",')), "malformed_document");
  throws(() => verifier.verifyReceipt(text.replace('"treeSize":4', '"treeSize":4.0')), "malformed_document");
  throws(() => verifier.verifyReceipt(`\ufeff${text}`), "malformed_document");
  assert.equal(verifier.verifyReceipt(`{"success":true,"data":${text}}`).ok, true);
});

test("a bundle verifier is used once, and an abort ends it", async () => {
  const bundle = new verifier.BundleVerifier();
  assert.equal(bundle.finish().ok, false);
  throws(() => bundle.page("{}"), "malformed_input");
  await assert.rejects(verifier.verifyBundle(["{}"], { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

test("slim is handed its module, from bytes, a module or a response; base64 carries it", async () => {
  const bytes = await readFile(join(PACKAGE, "dist/verifier.wasm"));
  const fresh = createRequire(import.meta.url)("@postq/verifier/slim");
  assert.throws(() => fresh.verify(input), (error) => error.code === "not_initialized");
  await assert.rejects(fresh.initializeAsync(new Response("", { status: 404 })), (error) => error.code === "not_initialized");
  await fresh.initializeAsync(new Response(bytes, { headers: { "content-type": "application/wasm" } }));
  assert.equal(fresh.verify(input).ok, true);
  slim.initialize(new WebAssembly.Module(bytes));
  assert.equal(slim.verify(input).ok, true);
  const base64 = [await import("@postq/verifier/base64"), createRequire(import.meta.url)("@postq/verifier/base64")];
  for (const entry of base64) assert.equal(entry.verify(input).ok, true);
});
