// The ledger's events, as people read them.

import type { LedgerEntry } from "@postq/sdk";
import { short } from "../words.ts";

/** Every type of event that there is. */
export const EVENTS = [
  "key.created",
  "key.rotated",
  "key.revoked",
  "signature.issued",
  "signature.withheld",
  "signature.refused",
  "signature.verified",
  "vault.settings_changed",
  "policy.changed",
  "policy.violated",
  "api_key.created",
  "api_key.revoked",
  "custom.event",
] as const;

const WORDS: Record<string, string> = {
  "key.created": "Key created",
  "key.rotated": "Key rotated",
  "key.revoked": "Key revoked",
  "signature.issued": "Signed",
  "signature.withheld": "Signature withheld",
  "signature.refused": "Signature refused",
  "signature.verified": "Checked",
  "vault.settings_changed": "Settings changed",
  "policy.changed": "Policy changed",
  "policy.violated": "Policy violated",
  "api_key.created": "Token made",
  "api_key.revoked": "Token revoked",
  "custom.event": "Appended",
};

const LOOKS: Record<string, string> = {
  "key.revoked": "bad",
  "signature.refused": "warn",
  "signature.withheld": "bad",
  "policy.violated": "bad",
  "signature.issued": "good",
  "custom.event": "info",
};

export function eventName(type: string): string {
  return WORDS[type] ?? type;
}

export function eventLook(type: string): string {
  return LOOKS[type] ?? "";
}

/** What an entry is about, in a few words: text of the caller's stays text. */
export function gist({ eventType, payload, subjectId }: LedgerEntry): string {
  const data = (payload as { data?: Record<string, unknown> }).data ?? {};
  const text = (name: string) => (typeof data[name] === "string" ? (data[name] as string) : "");
  if (eventType === "custom.event") return [text("name"), text("message")].filter(Boolean).join(": ");
  if (eventType === "signature.verified") return data["ok"] === false ? "did not hold" : "";
  if (eventType === "policy.changed") {
    const terms = data["terms"] as { name?: unknown } | null | undefined;
    return [text("change"), typeof terms?.name === "string" ? terms.name : text("policyId")].filter(Boolean).join(": ");
  }
  if (eventType === "policy.violated") {
    const names = Array.isArray(data["policies"]) ? data["policies"].map((policy: { name?: unknown }) => policy.name) : [];
    return [data["refused"] === true ? "refused" : "done", text("operation"), ...names.filter((name) => typeof name === "string")].filter(Boolean).join(", ");
  }
  return subjectId ? short(subjectId, 10) : "";
}
