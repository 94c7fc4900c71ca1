// Without the module: whoever imports this hands it over.
export { initialize, initializeAsync } from "./verifier.js";
export * from "./public.js";
