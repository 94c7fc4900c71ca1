// Everywhere else, and where nothing may be fetched: the module stands in the code.
import base64 from "#base64";
import { fromBase64, initialize } from "./verifier.js";

initialize(new WebAssembly.Module(fromBase64(base64)));

export * from "./public.js";
