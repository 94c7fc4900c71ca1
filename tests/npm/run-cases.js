// `node run-cases.js RUNTIME CASES`: prints what came of the cases in that runtime, as JSON.

import { readFileSync } from "node:fs";
import { runtimes } from "./lib/runtimes.js";

const [runtime, path] = process.argv.slice(2);
const outcome = await runtimes[runtime](JSON.parse(readFileSync(path, "utf8")));
process.stdout.write(JSON.stringify(outcome));
