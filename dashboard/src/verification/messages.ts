// What goes between the page and the Worker.

import type { Checks } from "./checks.ts";

/** A check to run, or one to call off. */
export type Question = { id: number; check: keyof Checks; input: unknown } | { id: number; check: "cancel" };

/** How far a check is, or what came of it. Number 0 says that the Worker is there. */
export interface Answer {
  id: number;
  progress?: { done: number; of?: number };
  result?: unknown;
  error?: { message: string; code: string; requestId?: string | undefined; status?: number | undefined };
}
