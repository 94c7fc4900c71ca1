// The Worker: runs the checks that it is asked for, each under its number, until it is done or called off.

import { PostQError } from "@postq/sdk";
import { VerifierError } from "@postq/verifier";
import { CHECKS, type Checks } from "./checks.ts";
import type { Answer, Question } from "./messages.ts";

const running = new Map<number, AbortController>();

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  if (data.check === "cancel") running.get(data.id)?.abort(new DOMException("called off", "AbortError"));
  else void answer(data.id, data.check, data.input);
});

async function answer(id: number, check: keyof Checks, input: unknown): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const say = (said: Omit<Answer, "id">) => postMessage({ id, ...said });
  const run = {
    signal: controller.signal,
    progress: (done: number, of?: number) => say({ progress: of === undefined ? { done } : { done, of } }),
  };
  try {
    const work = CHECKS[check] as (input: unknown, run: unknown) => Promise<unknown>;
    say({ result: await work(input, run) });
  } catch (error) {
    say({ error: told(error) });
  } finally {
    running.delete(id);
  }
}

/** An error as it survives the way: its class does not. */
function told(error: unknown): NonNullable<Answer["error"]> {
  if (error instanceof PostQError) return { message: error.message, code: error.code, requestId: error.requestId, status: error.status };
  if (error instanceof VerifierError) return { message: error.message, code: error.code };
  if (error instanceof DOMException && error.name === "AbortError") return { message: "called off", code: "aborted" };
  return { message: error instanceof Error ? error.message : String(error), code: "internal" };
}

// Listening began before the module was fetched; now it is here.
postMessage({ id: 0 } satisfies Answer);
