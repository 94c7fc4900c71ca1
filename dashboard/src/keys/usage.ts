// What a key was used for lately, as far as one page of its activity tells.

import { session } from "../session.svelte.ts";

export interface Usage {
  /** Signatures of the last 30 days. */
  signatures: number;
  /** By how many tokens. */
  actors: number;
  /** Whether there may be more: the page was full. */
  more: boolean;
}

const PAGE = 100;
const MONTH_MS = 30 * 86_400_000;

/** @throws {PostQError} scope `audit:read` */
export async function usageOf(keyId: string, signal: AbortSignal): Promise<Usage> {
  const { items, nextCursor } = await session.vault.hybridKeys.audit(keyId, { limit: PAGE }, { signal });
  const recent = items.filter(({ operation, createdAt }) => operation === "sign" && Date.now() - Date.parse(createdAt) < MONTH_MS);
  return { signatures: recent.length, actors: new Set(recent.map(({ actor }) => actor)).size, more: nextCursor !== null };
}
