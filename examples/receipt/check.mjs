// node check.mjs: verifies hello.txt by its receipt, offline.

import { readFileSync } from "node:fs";
import { verifyReceipt } from "@postq/verifier";

const read = (name) => readFileSync(new URL(name, import.meta.url));
const found = verifyReceipt(read("hello.postq.json"), { payload: read("hello.txt"), pins: read("pins.json").toString() });
console.log(found);
const { ok, messageChecked, anchored, revocation } = found;
const good = ok && messageChecked && anchored.signer && anchored.ledger && revocation !== "logged after revocation";
process.exitCode = good ? 0 : 2;
