export * from "./index.js";

/**
 * Hands over the compiled module. Nothing else works before, and a second call does nothing.
 *
 * @param module `@postq/verifier/verifier.wasm`, compiled.
 */
export function initialize(module: WebAssembly.Module): void;

/**
 * The same from what is not compiled yet: the bytes, or the response of a `fetch`, which is compiled as it arrives where
 * its media type is `application/wasm`.
 */
export function initializeAsync(
  source: WebAssembly.Module | ArrayBuffer | Uint8Array | Response | Promise<WebAssembly.Module | ArrayBuffer | Uint8Array | Response>,
): Promise<void>;
