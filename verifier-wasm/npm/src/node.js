// Node, as ES modules.
import { readFileSync } from "node:fs";
import { initialize } from "./verifier.js";

initialize(new WebAssembly.Module(readFileSync(new URL("./verifier.wasm", import.meta.url))));

export * from "./public.js";
