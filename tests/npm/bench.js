// Size and speed of @postq/verifier beside @noble/post-quantum with @noble/curves, and @oqs/liboqs-js, in one run:
// `cargo xtask bench-verifier`. Read the ratios: the machine is shared.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { createMLDSA44, createMLDSA65, createMLDSA87 } from "@oqs/liboqs-js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { toBase64, verify } from "@postq/verifier";
import { PACKAGE, inPage } from "./lib/runtimes.js";

const ALGORITHMS = {
  "mldsa44+ed25519": ["COMPSIG-MLDSA44-Ed25519-SHA512", "SHA-512"],
  "mldsa44+ecdsa-p256": ["COMPSIG-MLDSA44-ECDSA-P256-SHA256", "SHA-256"],
  "mldsa65+ecdsa-p256": ["COMPSIG-MLDSA65-ECDSA-P256-SHA512", "SHA-512"],
  "mldsa65+ed25519": ["COMPSIG-MLDSA65-Ed25519-SHA512", "SHA-512"],
  "mldsa87+ed25519": ["POSTQ-COMPSIG-MLDSA87-Ed25519-SHA512", "SHA-512"],
  "mldsa87+ecdsa-p256": ["POSTQ-COMPSIG-MLDSA87-ECDSA-P256-SHA512", "SHA-512"],
};
const PQ = { mldsa44: [ml_dsa44, createMLDSA44], mldsa65: [ml_dsa65, createMLDSA65], mldsa87: [ml_dsa87, createMLDSA87] };
const PAYLOAD = new TextEncoder().encode("what is signed");

await all(process.argv[2]);

async function all(pages) {
  sizes();
  const samples = {};
  console.log("\n| verify, µs (median) | ours | noble | noble / ours | liboqs-js, ML-DSA half alone |\n|---|---|---|---|---|");
  for (const algorithm of Object.keys(ALGORITHMS)) {
    const sample = await signed(algorithm);
    samples[algorithm] = sample.input;
    const ours = median(400, () => must(verify({ ...sample.input, payload: PAYLOAD }).ok));
    const noble = median(60, () => must(sample.noble()));
    const liboqs = await withLiboqs(algorithm, sample);
    console.log(`| ${algorithm} | ${ours.toFixed(0)} | ${noble.toFixed(0)} | ${(noble / ours).toFixed(1)} | ${liboqs.toFixed(0)} |`);
  }

  const run = () => JSON.parse(execFileSync(process.execPath, [join(import.meta.dirname, "bench-first.js")], { input: JSON.stringify(samples["mldsa65+ed25519"]) }));
  const runs = Array.from({ length: 15 }, run).sort((a, b) => a.verify - b.verify);
  const { load, verify: took } = runs[7];
  console.log(`\nin a new process: import ${load.toFixed(1)} ms, then the first verify of mldsa65+ed25519 ${took.toFixed(2)} ms (median of 15)\n`);
  await bundle(pages);
}

/** What a page downloads. */
function sizes() {
  console.log("| | bytes | gzipped |\n|---|---|---|");
  for (const name of ["verifier.wasm", "verifier.js", "base64.js"]) {
    const bytes = readFileSync(join(PACKAGE, "dist", name));
    console.log(`| ${name} | ${bytes.length} | ${gzipSync(bytes, { level: 9 }).length} |`);
  }
}

/** A signature that noble makes, and how noble verifies it. */
async function signed(algorithm) {
  const [pqName, classicalName] = algorithm.split("+");
  const [label, hash] = ALGORITHMS[algorithm];
  const [pq] = PQ[pqName];
  const context = new TextEncoder().encode(label);
  const digest = new Uint8Array(await crypto.subtle.digest(hash, PAYLOAD));
  const message = Uint8Array.from([...new TextEncoder().encode("CompositeAlgorithmSignatures2025"), ...context, 0, ...digest]);
  const keys = pq.keygen(new Uint8Array(32).fill(7));
  const secret = new Uint8Array(32).fill(9);
  const [curve, publicKey] = classicalName === "ed25519" ? [ed25519, ed25519.getPublicKey(secret)] : [p256, p256.getPublicKey(secret, false)];
  const [pqSignature, classicalSignature] = [pq.sign(message, keys.secretKey, { extraEntropy: false, context }), curve.sign(message, secret)];
  return {
    message,
    context,
    pqSignature,
    pqPublicKey: keys.publicKey,
    input: {
      publicKey: JSON.stringify({ v: 1, alg: algorithm, classical: toBase64(publicKey), pq: toBase64(keys.publicKey) }),
      signature: toBase64(Uint8Array.from([...pqSignature, ...classicalSignature])),
    },
    noble: () => pq.verify(pqSignature, message, keys.publicKey, { context }) && curve.verify(classicalSignature, message, publicKey),
  };
}

/** liboqs takes no context, so it verifies a signature of its own over the same message. */
async function withLiboqs(algorithm, { message }) {
  const liboqs = await PQ[algorithm.split("+")[0]][1]();
  const { publicKey, secretKey } = liboqs.generateKeyPair();
  const signature = liboqs.sign(message, secretKey);
  const took = median(200, () => must(liboqs.verify(message, signature, publicKey)));
  liboqs.destroy();
  return took;
}

/** A bundle on a page's own thread, while the page wants to paint. */
async function bundle(path) {
  const page = `<!doctype html><script type="importmap">{"imports":{"@postq/verifier":"/package/dist/browser.js"}}</script>`;
  const outcome = await inPage({ "/": page, "/package/": PACKAGE, "/pages": readFileSync(path) }, (tab) =>
    tab.evaluate(async () => {
      const { verifyBundle } = await import("@postq/verifier");
      const text = await (await fetch("/pages")).text();
      const pages = text.split("\n");
      const once = async () => {
        let [longest, last, stopped] = [0, performance.now(), false];
        const tick = () => {
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
          if (!stopped) setTimeout(tick, 0);
        };
        tick();
        const begun = performance.now();
        const found = await verifyBundle(pages);
        const took = performance.now() - begun;
        stopped = true;
        return { ok: found.ok, reason: found.reason, entries: found.entries, took, longest };
      };
      const runs = [];
      for (let round = 0; round < 5; round += 1) runs.push(await once());
      return { runs, pages: pages.length, bytes: text.length };
    }),
  );
  must(outcome.runs.every(({ ok }) => ok), JSON.stringify(outcome.runs[0]));
  const { entries, took, longest } = outcome.runs.sort((a, b) => a.took - b.took)[2];
  console.log(
    `${entries} entries in ${outcome.pages} pages of ${(outcome.bytes / 1e6).toFixed(0)} MB in Chromium: ${(took / 1000).toFixed(2)} s, ` +
      `the page never waits longer than ${longest.toFixed(0)} ms (median of 5)`,
  );
}

function must(good, why = "a good signature did not verify") {
  if (!good) throw new Error(why);
}

/** In microseconds, after as many warming calls as it takes the engine to settle. */
function median(rounds, work) {
  const times = [];
  for (let round = -rounds; round < rounds; round += 1) {
    const begun = performance.now();
    work();
    if (round >= 0) times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[rounds >> 1] * 1000;
}
