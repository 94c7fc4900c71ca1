// Trusted Types: the one string that becomes code is the address of our own Worker.

import address from "./verification/worker.ts?worker&url";

/** The Worker's address, as the page's policy lets it start. */
export function workerAddress(): string {
  if (!("trustedTypes" in globalThis)) return address;
  const policy = (globalThis as unknown as { trustedTypes: TrustedTypes }).trustedTypes.createPolicy("postq-vault", {
    createScriptURL: (url) => {
      if (url !== address) throw new TypeError("only the verification's own Worker is started");
      return url;
    },
  });
  return policy.createScriptURL(address);
}

// TypeScript's own library does not have them yet.
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}
