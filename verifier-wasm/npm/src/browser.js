// Browsers and their bundlers: the module is fetched from beside this file and compiled as it arrives.
import { initializeAsync } from "./verifier.js";

await initializeAsync(fetch(new URL("./verifier.wasm", import.meta.url)));

export * from "./public.js";
