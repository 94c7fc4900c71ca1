// The SDK against the real server, and against servers that fail.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import * as sdk from "@postq/sdk";
import * as offline from "@postq/sdk/offline";
import { inTab } from "./lib/runtimes.js";
import { deployment, startVault } from "./lib/vault.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const { PostQ } = sdk;
const bytes = (text) => new TextEncoder().encode(text);
const base64 = (text) => Buffer.from(text).toString("base64");

describe("against the real server", () => {
  let vault;
  let postq;
  let shown = "";
  const page = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(shown));
  const origin = () => `http://127.0.0.1:${page.address().port}`;

  before(async () => {
    await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
    vault = await startVault({ POSTQ_CORS_ORIGINS: origin() });
    postq = new PostQ({ apiKey: vault.token, baseUrl: vault.address });
  });
  after(async () => {
    page.closeAllConnections();
    page.close();
    await vault?.stop();
  });

  test("the launch announcement's snippet", async () => {
    const key = await postq.hybridKeys.create({ name: "release signing" });
    const payloadBase64 = base64("hello, hybrid world");

    const { signatureBase64 } = await postq.hybridSign({ keyId: key.id, payloadBase64 });
    const { ok } = await postq.hybridVerify({ keyId: key.id, payloadBase64, signatureBase64 });
    assert.equal(ok, true);

    const other = await postq.hybridVerify({ keyId: key.id, payloadBase64: base64("another"), signatureBase64 });
    assert.deepEqual([other.ok, other.classicalOk, other.pqOk], [false, false, false]);
  });

  test("a key's life, from the first signature to its lineage", async () => {
    const first = await postq.hybridKeys.create({ name: "life", algorithm: "mldsa44+ecdsa-p256", metadata: { team: "a" }, allowFollow: true });
    assert.deepEqual((await postq.hybridKeys.get(first.id)).publicKey, first.publicKey);
    assert.equal((await postq.hybridKeys.publicKey(first.id)).fingerprint, first.fingerprint);
    assert.match(await postq.hybridKeys.publicKey(first.id, { format: "pem" }), /^-----BEGIN PUBLIC KEY-----\n/);
    const signed = await postq.sign({ keyId: first.id, payload: bytes("one"), context: bytes("ctx") });
    const checked = offline.verify({ publicKey: signed.publicKey, payload: bytes("one"), context: bytes("ctx"), signature: signed.signature });
    assert.deepEqual(checked, { ok: true, classicalOk: true, pqOk: true, algorithm: "mldsa44+ecdsa-p256" });

    const second = await postq.hybridKeys.rotate(first.id);
    await assert.rejects(postq.sign({ keyId: first.id, payload: bytes("two") }), (error) => {
      assert.ok(error instanceof sdk.PostQConflictError);
      assert.deepEqual([error.code, error.status, error.details.successorId], ["key_superseded", 409, second.id]);
      assert.match(error.requestId, /^req_/);
      return true;
    });
    const followed = await postq.sign({ keyId: first.id, payload: bytes("two"), followSuccessor: true });
    assert.equal(followed.keyId, second.id);

    const lineage = await postq.hybridKeys.lineage(second.id);
    const line = offline.verifyLineage(lineage, { pins: { signers: [first.fingerprint] } });
    assert.deepEqual(line.keys.map(({ id }) => id), [first.id, second.id]);
    assert.equal(line.anchored.signer, true);

    const { revokedAt } = await postq.hybridKeys.revoke(second.id);
    assert.equal((await postq.hybridKeys.revoke(second.id)).revokedAt, revokedAt);
    const late = await postq.verify({ keyId: second.id, payload: bytes("two"), signature: followed.signature });
    assert.deepEqual([late.ok, late.signatureOk, late.keyStatus, late.logged], [true, true, "revoked", true]);

    const rows = [];
    for await (const row of postq.hybridKeys.audit(second.id, { limit: 2 })) rows.push(row.eventType);
    assert.deepEqual(rows.sort(), ["key.revoked", "key.rotated", "signature.issued", "signature.verified"]);
  });

  test("a signature of a revoked key that the ledger does not have is no good, unless the caller says so", async () => {
    const answers = { "/v1/verify": { ok: true, algorithm: "mldsa65+ed25519", classicalOk: true, pqOk: true, keyStatus: "revoked", logged: false } };
    await withServer(
      (request, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ success: true, data: answers[request.url] })),
      async (baseUrl) => {
        const postq = new PostQ({ apiKey: "pq_live_made_up", baseUrl });
        const input = { keyId: "key_1", payload: bytes("x"), signature: "AA==" };
        const strict = await postq.verify(input);
        assert.deepEqual([strict.ok, strict.signatureOk], [false, true]);
        assert.equal((await postq.verify({ ...input, acceptUnlogged: true })).ok, true);
      },
    );
  });

  test("files are hashed here, and only their digest is sent", async () => {
    const key = await postq.hybridKeys.create({ name: "files" });
    const pieces = Array.from({ length: 64 }, (_, index) => new Uint8Array(65_536).fill(index));
    const progress = [];
    const signed = await postq.signStream({ keyId: key.id, payload: new Blob(pieces), onProgress: (bytes) => progress.push(bytes) });
    assert.equal(signed.payloadSha256, null);
    assert.equal(progress.at(-1), 64 * 65_536);
    assert.equal((await postq.verifyStream({ keyId: key.id, payload: pieces, signature: signed.signature })).ok, true);
    assert.equal((await offline.verifyStream({ publicKey: key.publicKey, payload: pieces, signature: signed.signature })).ok, true);
    const other = await offline.verifyStream({ publicKey: key.publicKey, payload: pieces.slice(1), signature: signed.signature });
    assert.equal(other.ok, false);
  });

  test("what is no payload is refused before anything is signed", async () => {
    const key = await postq.hybridKeys.create({ name: "careful" });
    const spent = (function* () {
      yield bytes("x");
    })();
    for (const _ of spent);
    const used = new Response("x");
    await used.text();
    for (const payload of [spent, [], used, new Response("not found", { status: 404 })]) {
      await assert.rejects(postq.signStream({ keyId: key.id, payload }), (error) => error.code === "malformed_input");
    }
    await assert.rejects(postq.signStream({ keyId: key.id, payload: createReadStream("no such file") }), /ENOENT/);
    for (const wrong of [{ payload: "test" }, { payload: bytes("x"), context: "test" }]) {
      await assert.rejects(postq.sign({ keyId: key.id, ...wrong }), (error) => error instanceof sdk.PostQRequestError);
    }
    const events = (await postq.hybridKeys.audit(key.id)).items.map(({ eventType }) => eventType);
    assert.deepEqual(events, ["key.created"]);
    assert.throws(() => new PostQ({ apiKey: vault.token, baseUrl: undefined }), (error) => error.code === "invalid_base_url");
  });

  test("many payloads, a few at a time, and one bad one takes none along", async () => {
    const key = await postq.hybridKeys.create({ name: "many" });
    const inputs = Array.from({ length: 20 }, (_, index) => ({ keyId: key.id, payload: bytes(`payload ${index}`) }));
    inputs[7] = { keyId: "key_none", payload: bytes("x") };
    const results = await postq.signMany(inputs, { concurrency: 4 });
    results.forEach((result, index) => {
      assert.equal(result.status, index === 7 ? "rejected" : "fulfilled");
      if (index === 7) assert.ok(result.reason instanceof sdk.PostQNotFoundError);
      else assert.ok(offline.verify({ publicKey: key.publicKey, payload: inputs[index].payload, signature: result.value.signature }).ok);
    });
  });

  test("a receipt is verified here, and says what pins vouch for", async () => {
    const key = await postq.hybridKeys.create({ name: "receipts" });
    const signed = await postq.sign({ keyId: key.id, payload: bytes("contract") });
    const bare = await postq.ledger.receipt(signed.eventId);
    const missing = offline.verifyReceipt(bare);
    assert.deepEqual(missing, { ok: false, reason: "the receipt has no signature yet: put it in as `signatureBase64`" });

    const receipt = await postq.ledger.receipt(signed.eventId, { signature: signed.signature });
    const loose = offline.verifyReceipt(receipt, { payload: bytes("contract") });
    assert.deepEqual([loose.ok, loose.messageChecked, loose.anchored], [true, true, { signer: false, ledger: false, checkpoint: null }]);
    const pins = { v: 1, signers: [key.fingerprint], ledgers: [{ org: loose.org, fingerprint: loose.ledgerFingerprint }] };
    const anchored = offline.verifyReceipt(JSON.stringify(receipt), { payload: bytes("contract"), pins });
    assert.deepEqual(anchored.anchored, { signer: true, ledger: true, checkpoint: null });
    await assert.rejects(postq.ledger.receipt(signed.eventId, { signature: "AAAA" }), (error) => error.code === "ledger_mismatch");
    const tampered = offline.verifyReceipt(receipt, { payload: bytes("Contract"), pins });
    assert.deepEqual(tampered, { ok: false, reason: "the payload's digest is not the one in the ledger's entry" });
  });

  test("an event is confirmed, and a ledger that says something else fails loudly", async () => {
    const key = await postq.hybridKeys.create({ name: "confirmed" });
    const signed = await postq.sign({ keyId: key.id, payload: bytes("x") });
    const found = await postq.ledger.confirm(signed.eventId, signed.eventDigest);
    assert.equal(found.ok, true);
    const pins = { ledgers: [{ org: found.org, fingerprint: found.ledgerFingerprint }] };
    assert.equal((await postq.ledger.confirm(signed.eventId, signed.eventDigest, { pins })).anchored.ledger, true);

    const code = (code) => (error) => error instanceof sdk.PostQLedgerError && error.code === code;
    const wrong = signed.eventDigest.replace(/^./, (first) => (first === "0" ? "1" : "0"));
    await assert.rejects(postq.ledger.confirm(signed.eventId, wrong), code("ledger_mismatch"));
    await assert.rejects(postq.ledger.confirm("evt_01jd0000000000000000000000", wrong), code("ledger_mismatch"));
    const other = { ledgers: [{ org: found.org, fingerprint: "0".repeat(64) }] };
    await assert.rejects(postq.ledger.confirm(signed.eventId, signed.eventDigest, { pins: other }), code("ledger_unanchored"));
  });

  test("the ledger: entries, seals, proofs and the whole bundle by pages", async () => {
    const entry = await postq.ledger.append({ name: "deploy", message: "v1", data: { commit: "abc" } });
    const sealed = await postq.ledger.seal();
    assert.ok(sealed.treeSize > entry.seq);
    assert.equal((await postq.ledger.latestCheckpoint()).treeSize >= sealed.treeSize, true);
    const proof = await postq.ledger.proof(entry.id);
    assert.deepEqual(offline.verifyInclusion({ ...proof, entry }), { ok: true });
    const moved = offline.verifyInclusion({ ...proof, entry, leafIndex: proof.leafIndex + 1 });
    assert.equal(moved.ok, false);

    const progress = [];
    const found = await offline.verifyBundle(postq.ledger.bundlePages({ limit: 5 }), { onProgress: ({ entries }) => progress.push(entries) });
    assert.deepEqual([found.ok, found.complete, found.entries], [true, true, found.treeSize]);
    assert.equal(progress.length, Math.ceil(found.treeSize / 5));

    await postq.ledger.append({ name: "later" });
    const later = await postq.ledger.seal();
    const consistency = await postq.ledger.consistency({ from: found.treeSize, to: later.treeSize });
    const heads = { from: { treeSize: found.treeSize, merkleRootHex: found.merkleRootHex }, to: later };
    assert.deepEqual(offline.verifyConsistency({ ...heads, proofHex: consistency.proofHex }), { ok: true });
    assert.equal(offline.verifyConsistency({ ...heads, proofHex: [] }).ok, false);

    const { signingKeys, successions, checkpoints, org } = await postq.ledger.bundle({ since: 0, limit: 1 });
    const pins = { ledgers: [{ org, fingerprint: found.ledgerFingerprint, checkpoint: { treeSize: found.treeSize, merkleRootHex: found.merkleRootHex } }] };
    const evidence = { org, checkpoint: checkpoints[0], signingKeys, successions };
    assert.deepEqual(offline.verifyCheckpoint(evidence, { pins, consistency }).anchored, { signer: false, ledger: true, checkpoint: found.treeSize });
    const forged = { ...evidence, checkpoint: { ...checkpoints[0], treeSize: checkpoints[0].treeSize + 1 } };
    assert.equal(offline.verifyCheckpoint(forged).ok, false);
  });

  test("lists page by themselves", async () => {
    const page = await postq.hybridKeys.list({ limit: 1 });
    assert.deepEqual([page.items.length, typeof page.nextCursor], [1, "string"]);
    const ids = [];
    for await (const key of postq.hybridKeys.list({ limit: 2 })) ids.push(key.id);
    assert.deepEqual(ids, [...ids].sort().reverse());
    assert.ok(ids.length >= 5);
  });

  test("tokens: what is made, what it may do, and that its end is at once", async () => {
    const made = await postq.tokens.create({ name: "ci", scopes: ["sign"] });
    const limited = new PostQ({ apiKey: made.token, baseUrl: vault.address });
    assert.deepEqual((await limited.whoami()).scopes, ["sign"]);
    const key = await postq.hybridKeys.create({ name: "for the limited" });
    const file = { keyId: key.id, payload: new Blob(["file"]) };
    await assert.rejects(limited.signStream(file), (error) => error.code === "missing_scope");
    const signed = await limited.signStream({ ...file, algorithm: key.algorithm });
    assert.ok(offline.verify({ publicKey: key.publicKey, payload: bytes("file"), signature: signed.signature }).ok);
    await assert.rejects(limited.hybridKeys.create({ name: "no" }), (error) => error instanceof sdk.PostQPermissionError && error.code === "missing_scope");
    await postq.tokens.revoke(made.id);
    await assert.rejects(limited.whoami(), (error) => error instanceof sdk.PostQAuthenticationError && error.code === "unauthenticated");
    const listed = await postq.tokens.list();
    assert.ok(!JSON.stringify(listed).includes(made.token));
  });

  test("policies: what is offered, made, changed and violated", async () => {
    const [level, tier] = await postq.policies.offered();
    assert.deepEqual([level.rule.minPqLevel, tier.rule.minTier], [3, 2]);
    const made = await postq.policies.create({ ...level, environments: ["policy test"] });
    const weak = { name: "weak", algorithm: "mldsa44+ed25519", metadata: { environment: "policy test" } };
    await assert.rejects(
      postq.hybridKeys.create(weak),
      (error) => error instanceof sdk.PostQPermissionError && error.code === "policy_violated" && error.details.policyId === made.id,
    );
    const changed = await postq.policies.update(made.id, { action: "warn" });
    assert.deepEqual([changed.action, changed.rule, changed.environments], ["warn", made.rule, ["policy test"]]);
    await postq.hybridKeys.create(weak);
    const { items } = await postq.ledger.entries({ eventType: "policy.violated", order: "newest", limit: 2 });
    assert.deepEqual(items.map(({ payload }) => payload.data.refused), [false, true]);
    assert.deepEqual(await postq.policies.get(made.id), changed);
    await postq.policies.delete(made.id);
    assert.deepEqual(await postq.policies.list(), []);
    await assert.rejects(postq.policies.get(made.id), (error) => error instanceof sdk.PostQNotFoundError);
    const due = await postq.hybridKeys.create({ name: "due", allowFollow: true, rotateAfterDays: 30 });
    assert.equal(Date.parse(due.rotatesAt) - Date.parse(due.createdAt), 30 * 86_400_000);
  });

  test("one idempotency key, one effect", async () => {
    const options = { idempotencyKey: "make-it-once" };
    const [a, b] = [await postq.hybridKeys.create({ name: "once" }, options), await postq.hybridKeys.create({ name: "once" }, options)];
    assert.equal(a.id, b.id);
    await assert.rejects(postq.hybridKeys.create({ name: "twice" }, options), (error) => error.code === "idempotency_mismatch");
  });

  test("the API's refusals arrive as it words them", async () => {
    await assert.rejects(postq.hybridKeys.create({ name: "x", algorithm: "rsa" }), (error) => {
      assert.ok(error instanceof sdk.PostQRequestError);
      assert.match(error.message, /algorithm/);
      return error.code === "invalid_request";
    });
  });

  test("the published Python client and this one see the same objects", async () => {
    const key = await postq.hybridKeys.create({ name: "both", metadata: { a: 1 } });
    const signed = await postq.sign({ keyId: key.id, payload: bytes("both") });
    const script = `
import json, os
from postq import PostQ
client = PostQ(api_key=os.environ["POSTQ_API_KEY"], base_url=os.environ["BASE_URL"])
key = client.hybrid_keys.get(os.environ["KEY"])
checked = client.verify(key_id=key.id, payload=b"both", signature=os.environ["SIGNATURE"])
entry = next(e for e in client.ledger.entries(limit=100) if e.id == os.environ["EVENT"])
print(json.dumps({"key": [key.id, key.name, key.algorithm, key.created_at, key.metadata, key.public_key], "ok": checked.ok,
                  "entry": [entry.id, entry.seq, entry.entry_hash_hex, entry.event_type]}))
`;
    const python = join(root, "target/tools/venv/bin/python");
    const env = { POSTQ_API_KEY: vault.token, BASE_URL: vault.address, KEY: key.id, SIGNATURE: signed.signature, EVENT: signed.eventId };
    const { stdout } = await run(python, ["-c", script], { env });
    const seen = JSON.parse(stdout);
    const mine = await postq.hybridKeys.get(key.id);
    const entries = (await postq.ledger.entries({ limit: 100 })).items;
    const entry = entries.find(({ id }) => id === signed.eventId);
    assert.deepEqual(seen, {
      key: [mine.id, mine.name, mine.algorithm, mine.createdAt, mine.metadata, mine.publicKey],
      ok: true,
      entry: [entry.id, entry.seq, entry.entryHashHex, entry.eventType],
    });
  });

  test("in a browser", { skip: deployment && "the emulated gateway refuses every preflight" }, async () => {
    const bundle = await bundled(`
      import { PostQ } from "@postq/sdk";
      import * as offline from "@postq/verifier";
      globalThis.run = async (apiKey, baseUrl) => {
        const postq = new PostQ({ apiKey, baseUrl });
        const key = await postq.hybridKeys.create({ name: "from a browser", algorithm: "mldsa87+ecdsa-p256" });
        const payload = new TextEncoder().encode("browser");
        const signed = await postq.sign({ keyId: key.id, payload });
        const receipt = await postq.ledger.receipt(signed.eventId, { signature: signed.signature });
        const refused = await postq.hybridKeys.get("key_none").catch(({ name, code, requestId }) => [name, code, /^req_/.test(requestId)]);
        return [offline.verifyReceipt(receipt, { payload }).ok, (await postq.verify({ keyId: key.id, payload, signature: signed.signature })).ok, refused];
      };`);
    shown = `<!doctype html><script type="module">${bundle}</script>`;
    const outcome = await inTab(origin(), (tab) => tab.evaluate(([token, address]) => globalThis.run(token, address), [vault.token, vault.address]));
    assert.deepEqual(outcome, [true, true, ["PostQNotFoundError", "not_found", true]]);
  });
});

describe("against servers that fail", () => {
  const answer = (response, status, body, headers = {}) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));

  test("what may be repeated is repeated, with the same idempotency key", async () => {
    const seen = [];
    await withServer(
      (request, response) => {
        seen.push(request.headers["idempotency-key"]);
        if (seen.length < 3) answer(response, 503, { success: false, error: "the store is away", code: "store_unavailable" }, { "retry-after": "0" });
        else answer(response, 200, { success: true, data: { signature: "AA==" } });
      },
      async (baseUrl) => {
        const signed = await new PostQ({ apiKey: "pq_live_made_up", baseUrl }).sign({ keyId: "key_1", payload: bytes("x") });
        assert.equal(signed.signature, "AA==");
      },
    );
    assert.equal(seen.length, 3);
    assert.equal(new Set(seen).size, 1);
    assert.match(seen[0], /^sdk-[0-9a-f]{32}$/);
  });

  test("what will fail again is not repeated", async () => {
    for (const [status, code] of [[400, "invalid_request"], [401, "unauthenticated"], [409, "key_revoked"], [502, "kms_denied"], [500, "internal"]]) {
      let calls = 0;
      await withServer(
        (_, response) => {
          calls += 1;
          answer(response, status, { success: false, error: "no", code, requestId: "req_1" });
        },
        async (baseUrl) => {
          const postq = new PostQ({ apiKey: "pq_live_made_up", baseUrl });
          await assert.rejects(postq.sign({ keyId: "key_1", payload: bytes("x") }), (error) => error.code === code && error.requestId === "req_1");
        },
      );
      assert.equal(calls, 1, `${status} ${code}`);
    }
  });

  test("time limits, aborts and dead connections", async () => {
    await withServer(
      () => {},
      async (baseUrl) => {
        const postq = new PostQ({ apiKey: "pq_live_made_up", baseUrl, timeoutMs: 50, maxRetries: 1 });
        await assert.rejects(postq.whoami(), (error) => error instanceof sdk.PostQConnectionError && error.code === "timeout");
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        await assert.rejects(postq.whoami({ signal }), (error) => error === reason);
        const controller = new AbortController();
        const waiting = postq.whoami({ signal: controller.signal, timeoutMs: 60_000 });
        controller.abort(reason);
        await assert.rejects(waiting, (error) => error === reason);
      },
    );
    let calls = 0;
    await withServer(
      (request) => {
        calls += 1;
        request.socket.destroy();
      },
      async (baseUrl) => {
        const postq = new PostQ({ apiKey: "pq_live_made_up", baseUrl, maxRetries: 2 });
        await assert.rejects(postq.whoami(), (error) => error instanceof sdk.PostQConnectionError && error.code === "connection_failed");
      },
    );
    assert.equal(calls, 3);
  });

  test("what is no vault is named, and redirects are not followed", async () => {
    for (const [status, headers, body] of [[200, {}, "<html>"], [302, { location: "https://elsewhere.example/" }, ""], [200, {}, "[]"], [200, {}, '{"success":false}'], [200, {}, '{"hello":1}']]) {
      await withServer(
        (_, response) => response.writeHead(status, headers).end(body),
        async (baseUrl) => {
          await assert.rejects(new PostQ({ apiKey: "pq_live_made_up", baseUrl }).whoami(), (error) => error.code === "not_a_vault");
        },
      );
    }
  });

  test("the API key is in no error, no inspection and no JSON", async () => {
    const apiKey = "pq_live_canary_canary_canary";
    const shown = [];
    const show = (thing) => shown.push(inspect(thing, { depth: 9, showHidden: true })) > 0;
    for (const options of [{ apiKey: `${apiKey}\n` }, { apiKey, baseUrl: "nonsense" }, { apiKey, baseUrl: `http://u:${apiKey}@localhost` }, { apiKey, baseUrl: "http://vault.example.com" }]) {
      assert.throws(() => new PostQ(options), show);
    }
    const postq = new PostQ({ apiKey, baseUrl: "http://127.0.0.1:1", maxRetries: 0 });
    await assert.rejects(postq.sign({ keyId: "key_1", payload: bytes("secret payload") }), show);
    show(postq);
    shown.push(JSON.stringify(postq));
    assert.equal(shown.length, 7);
    for (const text of shown) assert.ok(!text.includes("canary") && !text.includes(base64("secret payload")), text);
  });
});

describe("the package", () => {
  test("has a row for every operation of the API, and no other", async () => {
    const { paths } = JSON.parse(await readFile(join(root, "docs/openapi.json"), "utf8"));
    const described = {};
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { operationId }] of Object.entries(methods)) described[operationId] = [method.toUpperCase(), path];
    }
    assert.deepEqual(sdk.OPERATIONS, described);
  });

  test("has the types that the API's description gives", async () => {
    const { stdout } = await run("npm", ["exec", "--workspace", "@postq/sdk", "--", "openapi-typescript", "../docs/openapi.json",
      "--alphabetize", "--root-types", "--root-types-no-schema-prefix", "--empty-objects-unknown"], { cwd: root, maxBuffer: 1 << 26 });
    const committed = await readFile(join(root, "sdk/src/schema.ts"), "utf8");
    assert.equal(stdout.trim(), committed.trim(), "run `npm run schema --workspace @postq/sdk`");
  });

  test("publint and are-the-types-wrong have nothing to say, and CommonJS works", async () => {
    const { stdout: packed } = await run("npm", ["pack", "--workspace", "@postq/sdk", "--pack-destination", join(root, "target"), "--silent"], { cwd: root });
    const tarball = join(root, "target", packed.trim());
    const bin = (name) => join(root, "node_modules/.bin", name);
    const linted = await run(bin("publint"), ["run", tarball, "--strict"]).catch((error) => error);
    assert.match(linted.stdout, /All good!/, linted.stdout + linted.stderr);
    const types = await run(bin("attw"), [tarball, "--no-color", "--no-emoji"]).catch((error) => error);
    assert.match(types.stdout, /No problems found/, types.stdout + types.stderr);
    const script = `const { PostQ } = require("@postq/sdk"); const { verify } = require("@postq/sdk/offline"); console.log(typeof PostQ, typeof verify);`;
    const { stdout } = await run("node", ["--input-type=commonjs", "-e", script], { cwd: join(root, "tests/npm") });
    assert.equal(stdout, "function function\n");
  });
});

async function withServer(answer, work) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function bundled(contents) {
  const { build } = await import("esbuild");
  const stdin = { contents, resolveDir: join(root, "tests/npm") };
  const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false, minify: true, alias: { "@postq/verifier": "@postq/verifier/base64" } });
  // What stands in a script element ends at its end tag, wherever that is.
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}
