// The pages: the table of contents. Each is loaded when it is first opened.

import type { Component } from "svelte";

export interface Page {
  /** Its address below the base; `:id` stands for one part. */
  path: string;
  load: () => Promise<{ default: Component<{ id: string }> | Component<Record<string, never>> }>;
  /** Whether it is there for who is not signed in. */
  open?: true;
}

export const PAGES: readonly Page[] = [
  { path: "/", load: () => import("./pages/Overview.svelte") },
  { path: "/keys", load: () => import("./pages/Keys.svelte") },
  { path: "/keys/new", load: () => import("./pages/CreateKey.svelte") },
  { path: "/keys/:id", load: () => import("./pages/Key.svelte") },
  { path: "/audit", load: () => import("./pages/Audit.svelte") },
  { path: "/audit/checkpoints", load: () => import("./pages/Checkpoints.svelte") },
  { path: "/verify", load: () => import("./pages/Verify.svelte"), open: true },
  { path: "/policies", load: () => import("./pages/Policies.svelte") },
  { path: "/settings", load: () => import("./pages/Settings.svelte") },
  { path: "/tokens", load: () => import("./pages/Tokens.svelte") },
];

/** The page at an address, with the id in it; none where there is no such page. */
export function pageAt(path: string): { page: Page; id: string } | undefined {
  const parts = path.split("/");
  for (const page of PAGES) {
    const pattern = page.path.split("/");
    if (pattern.length === parts.length && pattern.every((part, at) => part === parts[at] || (part === ":id" && parts[at] !== ""))) {
      return { page, id: parts[pattern.indexOf(":id")] ?? "" };
    }
  }
  return undefined;
}
