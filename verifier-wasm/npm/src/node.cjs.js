// Node, as CommonJS; bundled into one file.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { initialize } from "./verifier.js";

initialize(new WebAssembly.Module(readFileSync(join(__dirname, "verifier.wasm"))));

export * from "./public.js";
