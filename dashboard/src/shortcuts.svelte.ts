// Keys of the keyboard: ⌘K or Ctrl-K always; single keys unless they are turned off (WCAG 2.1.4), and never while somebody types.

import { href, place } from "./router.svelte.ts";
import { session } from "./session.svelte.ts";

const NAME = "postq-vault single keys";

/** After `g`, where to go. */
export const GO: readonly { key: string; path: string; name: string }[] = [
  { key: "o", path: "/", name: "Overview" },
  { key: "k", path: "/keys", name: "Keys" },
  { key: "a", path: "/audit", name: "Audit" },
  { key: "v", path: "/verify", name: "Verify" },
  { key: "p", path: "/policies", name: "Policies" },
  { key: "s", path: "/settings", name: "Settings" },
  { key: "t", path: "/tokens", name: "Tokens" },
];

class Shortcuts {
  /** Whether single keys do something. */
  single = $state(localStorage.getItem(NAME) !== "off");
  palette = $state(false);
  help = $state(false);
  /** When `g` was pressed. */
  #going = -Infinity;

  allow(single: boolean): void {
    this.single = single;
    if (single) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, "off");
  }

  /** Opens the finder, or closes it; what it finds is there for who is signed in. */
  find(open: boolean): void {
    this.palette = open && session.who !== undefined;
  }

  press(event: KeyboardEvent): void {
    if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      // What is open over the page is finished first.
      if (this.palette || !document.querySelector("[role=dialog]")) this.find(!this.palette);
      return;
    }
    if (!this.single || event.metaKey || event.ctrlKey || event.altKey || typing(event.target) || this.palette || this.help) return;
    if (document.querySelector("[role=dialog]")) return;
    if (performance.now() - this.#going < GO_WITHIN_MS) {
      this.#going = -Infinity;
      const there = GO.find(({ key }) => key === event.key);
      if (there) place.open(href(there.path));
    } else if (event.key === "g") {
      this.#going = performance.now();
    } else if (event.key === "/") {
      const search = document.querySelector<HTMLInputElement>("[data-search]");
      if (search) search.focus();
      else this.find(true);
      event.preventDefault();
    } else if (event.key === "?") {
      this.help = true;
      event.preventDefault();
    }
  }
}

const GO_WITHIN_MS = 1500;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export const shortcuts = new Shortcuts();
