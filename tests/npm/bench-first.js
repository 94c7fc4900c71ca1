// The first verify of a process that has done nothing else: the sample on standard input, milliseconds on standard output.

import { readFileSync } from "node:fs";

const input = JSON.parse(readFileSync(0, "utf8"));
const payload = new TextEncoder().encode("what is signed");
const begun = performance.now();
const { verify } = await import("@postq/verifier");
const loaded = performance.now();
const { ok } = verify({ ...input, payload });
const done = performance.now();
if (!ok) throw new Error("a good signature did not verify");
console.log(JSON.stringify({ load: loaded - begun, verify: done - loaded }));
