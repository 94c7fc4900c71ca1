// What is entered of an account. The vault looks closer; this says early what is plainly something else.

import { PostQError } from "@postq/sdk";
import { sentenceOf } from "../errors.ts";

/** That something entered cannot be right. */
export class Wrong {
  constructor(
    /** The id of the field. */
    readonly field: string,
    readonly sentence: string,
  ) {}
}

/** What the vault finds wrong with something that is entered here: `azure.vaultUrl` is the field `vault-url`. */
export function wrongOf(error: unknown): Wrong | undefined {
  if (!(error instanceof PostQError) || typeof error.details["field"] !== "string") return undefined;
  const name = error.details["field"].replace(/^.*\./, "");
  const id = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return document.getElementById(id) ? new Wrong(id, sentenceOf(error.message.replace(/^`[^`]*`: /, ""))) : undefined;
}

/** Whether anything is entered of an account. What is chosen among a few always has a value, and does not count. */
export function isEntered(account: object): boolean {
  return Object.entries(account).some(([what, value]) => !CHOSEN.includes(what) && (value instanceof File || (typeof value === "string" && value.trim() !== "")));
}

/** Whether nothing else is entered of an account. A file that was chosen is something else than none. */
export function isSame<Entered extends object>(entered: Entered, other: Entered): boolean {
  return (Object.keys(other) as (keyof Entered)[]).every((what) => entered[what] === other[what]);
}

/**
 * What was entered, if it looks as it must.
 * @throws {Wrong}
 */
export function fitting(field: string, entered: string, pattern: RegExp, sentence: string): string {
  const text = entered.trim();
  if (!pattern.test(text)) throw new Wrong(field, sentence);
  return text;
}

/**
 * How long halves may stay opened, if it looks as it must.
 * @throws {Wrong}
 */
export function secondsOf(field: string, entered: number | null): number {
  if (entered === null || !Number.isInteger(entered) || entered < 0 || entered > MAX_SECONDS) throw new Wrong(field, `It is a whole number of seconds, from 0 to ${MAX_SECONDS}.`);
  return entered;
}

/** As long as the vault allows. */
export const MAX_SECONDS = 300;

const CHOSEN = ["auth", "protectionLevel"];
