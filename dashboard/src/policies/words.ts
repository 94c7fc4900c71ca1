// Policies, as people read them.

import type { PolicyAction, PolicyRule } from "@postq/sdk";

type Operation = PolicyRule["matchOperation"];

export const OPERATIONS: readonly { value: Operation; name: string }[] = [
  { value: "key_create", name: "making a key" },
  { value: "sign", name: "signing" },
  { value: "verify", name: "checking by the API" },
  { value: "*", name: "all of these" },
];

export const ACTIONS: readonly { value: PolicyAction; name: string; sentence: string }[] = [
  { value: "enforce", name: "Refuse it", sentence: "The call fails with what would satisfy the policy." },
  { value: "warn", name: "Warn", sentence: "It is done, and the ledger warns of it." },
  { value: "audit", name: "Write it down", sentence: "It is done, and the ledger has it." },
];

export const LOOKS: Record<PolicyAction, string> = { enforce: "bad", warn: "warn", audit: "info" };

/** What a rule demands, in a sentence. */
export function sentenceOf(rule: PolicyRule): string {
  const demands = [
    rule.minTier != null ? `tier ${rule.minTier} or higher` : "",
    rule.minPqLevel != null ? `level ${rule.minPqLevel} or higher` : "",
    rule.algorithmIn ? `an algorithm of ${rule.algorithmIn.join(", ")}` : "",
    rule.algorithmNotIn ? `any algorithm but ${rule.algorithmNotIn.join(", ")}` : "",
    rule.requireHybrid ? "two halves" : "",
  ].filter(Boolean);
  const what = OPERATIONS.find(({ value }) => value === rule.matchOperation)?.name ?? rule.matchOperation;
  return rule.matchOperation === "*" ? `making a key, signing and checking take ${demands.join(", and ")}` : `${what} takes ${demands.join(", and ")}`;
}

/** Where it applies. */
export function placesOf(environments: readonly string[]): string {
  return environments.length === 0 ? "in every environment" : `in ${environments.join(", ")}, and where a key names none or one that no policy names`;
}
