// Where the person is: the address, as state. Links are ordinary links; a plain click on one of ours loads nothing anew.

const BASE = "/vault";

class Place {
  /** The address below the base, `/` for the base itself. */
  path = $state(below(location.pathname));
  #text = location.search;
  #search = $state.raw(new URLSearchParams(location.search));

  /** What the address says under a name; empty where it says nothing. */
  query(name: string): string {
    return this.#search.get(name) ?? "";
  }

  /** Takes over from the browser; gives back what ends it. */
  follow(): () => void {
    const back = () => this.#read();
    const click = (event: MouseEvent) => this.#click(event);
    addEventListener("popstate", back);
    document.addEventListener("click", click);
    return () => {
      removeEventListener("popstate", back);
      document.removeEventListener("click", click);
    };
  }

  /** Opens a page, or something on this one. */
  open(address: string): void {
    const before = this.path;
    history.pushState({ from: location.href }, "", address);
    this.#read();
    if (this.path !== before) scrollTo({ top: 0, behavior: "instant" });
  }

  /** Writes what is looked for into the address, as no step of its own in the history; what is empty leaves it. */
  refine(query: Record<string, string>): void {
    history.replaceState(history.state, "", this.with(query));
    this.#read();
  }

  /** Closes what was opened on this page: a step back, if it was a step that opened it. */
  leave(query: Record<string, string>): void {
    const address = this.with(query);
    if ((history.state as { from?: string } | null)?.from === new URL(address, location.href).href) history.back();
    else this.refine(query);
  }

  /** The address of this page with this in its query as well. */
  with(query: Record<string, string>): string {
    return href(this.path, { ...Object.fromEntries(this.#search), ...query });
  }

  #read(): void {
    this.path = below(location.pathname);
    if (location.search !== this.#text) {
      this.#text = location.search;
      this.#search = new URLSearchParams(location.search);
    }
  }

  #click(event: MouseEvent): void {
    // Another button, or a key with it, asks for another tab, a window, a file.
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return;
    // A place on this page is the browser's to find.
    if (link.hash !== "" && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    this.open(link.href);
  }
}

export const place = new Place();

/** The address of a page, with what is set of its query. */
export function href(path: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const text = String(search);
  return `${BASE}${path === "/" ? "" : path}${text && `?${text}`}`;
}

function below(pathname: string): string {
  const rest = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname;
  return rest.replace(/\/+$/, "") || "/";
}
