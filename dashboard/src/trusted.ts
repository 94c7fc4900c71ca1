// Trusted Types: the one string that becomes code is the address of our own Worker.

import address from "./verification/worker.ts?worker&url";

// A policy can be made once.
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("postq-vault", {
  createScriptURL: (url) => {
    if (url !== address) throw new TypeError("only the verification's own Worker is started");
    return url;
  },
});

/** The Worker's address, as the page's policy lets it start. */
export const WORKER = policy ? policy.createScriptURL(address) : address;

// TypeScript's own library does not have them yet.
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}
