// One check at a time, as a form has it: running, how far, what came of it, what went wrong.

import { fromBase64 } from "../words.ts";
import type { Wanted } from "./verifier.ts";

export class Checking<T> {
  found = $state.raw<T>();
  error = $state.raw<unknown>();
  progress = $state.raw<{ done: number; of: number | undefined }>();
  #stop: AbortController | undefined;

  constructor() {
    $effect(() => () => this.cancel());
  }

  async run(work: (wanted: Wanted) => Promise<T>): Promise<void> {
    this.forget();
    const stop = new AbortController();
    this.#stop = stop;
    this.progress = { done: 0, of: undefined };
    try {
      const found = await work({ signal: stop.signal, onProgress: (done, of) => stop.signal.aborted || (this.progress = { done, of }) });
      if (!stop.signal.aborted) this.found = found;
    } catch (error) {
      if (!stop.signal.aborted) this.error = error;
    } finally {
      if (!stop.signal.aborted) this.progress = undefined;
    }
  }

  /** What was found, or is being looked for, is about what was there before. */
  forget(): void {
    this.cancel();
    [this.found, this.error] = [undefined, undefined];
  }

  cancel(): void {
    this.#stop?.abort(new DOMException("called off", "AbortError"));
    this.progress = undefined;
  }
}

/** A signature's file: base64, as the command line writes it, or the bytes themselves. */
export async function signatureIn(file: Blob): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes).replace(/\s+/g, "");
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? signatureOf(text) : bytes;
}

/** A signature as it is pasted. @throws {TypeError} where it is no base64 */
export function signatureOf(text: string): Uint8Array {
  try {
    return fromBase64(text.replace(/\s+/g, ""));
  } catch {
    throw new TypeError("A signature is pasted as base64 (RFC 4648 §4), as the API and the command line give it.");
  }
}
