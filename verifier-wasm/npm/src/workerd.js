// Cloudflare Workers: the module is compiled when the worker is uploaded.
import module from "./verifier.wasm";
import { initialize } from "./verifier.js";

initialize(module);

export * from "./public.js";
