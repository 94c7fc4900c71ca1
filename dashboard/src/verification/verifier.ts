// The Worker as the page sees it: one, started when something is first to be checked.

import { PostQError, PostQAuthenticationError } from "@postq/sdk";
import { WORKER } from "../trusted.ts";
import type { Checks } from "./checks.ts";
import type { Answer, Question } from "./messages.ts";

/** What a caller may want besides the result. */
export interface Wanted {
  signal?: AbortSignal;
  onProgress?: (done: number, of: number | undefined) => unknown;
}

interface Waiting extends Wanted {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

const waiting = new Map<number, Waiting>();
let worker: Promise<Worker> | undefined;
let last = 0;

/** Runs a check in the Worker. */
export async function check<Name extends keyof Checks>(
  name: Name,
  input: Parameters<Checks[Name]>[0],
  wanted: Wanted = {},
): Promise<Awaited<ReturnType<Checks[Name]>>> {
  return (await asked(name, input, wanted)) as Awaited<ReturnType<Checks[Name]>>;
}

async function asked(name: keyof Checks, input: unknown, wanted: Wanted): Promise<unknown> {
  const started = await (worker ??= start());
  wanted.signal?.throwIfAborted();
  const id = ++last;
  const ask = (question: Question) => started.postMessage(question);
  wanted.signal?.addEventListener("abort", () => ask({ id, check: "cancel" }), { once: true });
  return new Promise((resolve, reject) => {
    waiting.set(id, { ...wanted, resolve, reject });
    ask({ id, check: name, input });
  });
}

/** Resolves once the Worker has its module; one that could not be loaded is tried anew by the next check. */
function start(): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const started = new Worker(WORKER, { type: "module" });
    started.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      if (data.id === 0) resolve(started);
      else hear(data);
    });
    started.addEventListener("error", () => {
      started.terminate();
      worker = undefined;
      const failed = new PostQError("the verifier could not be loaded", { code: "verifier_unavailable" });
      reject(failed);
      for (const { reject } of waiting.values()) reject(failed);
      waiting.clear();
    });
  });
}

function hear({ id, progress, result, error }: Answer): void {
  const asked = waiting.get(id);
  if (!asked) return;
  if (progress) {
    asked.onProgress?.(progress.done, progress.of);
    return;
  }
  waiting.delete(id);
  if (!error) asked.resolve(result);
  else if (error.code === "aborted") asked.reject(asked.signal?.reason);
  else if (error.status === 401) asked.reject(new PostQAuthenticationError(error.message, error));
  else asked.reject(new PostQError(error.message, error));
}
