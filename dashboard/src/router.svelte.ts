// Where the person is: the address, as state. Links are ordinary links; a plain click on one of ours loads nothing anew.

const BASE = "/vault";

class Place {
  /** The address below the base, `/` for the base itself. */
  path = $state(below(location.pathname));
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

  /** Opens a page. */
  open(address: string): void {
    history.pushState(null, "", address);
    this.#read();
    scrollTo({ top: 0, behavior: "instant" });
  }

  /** Writes what is looked for into the address, as no step of its own in the history; what is empty leaves it. */
  refine(query: Record<string, string>): void {
    const kept = Object.fromEntries(this.#search);
    history.replaceState(null, "", href(this.path, { ...kept, ...query }));
    this.#read();
  }

  #read(): void {
    this.path = below(location.pathname);
    this.#search = new URLSearchParams(location.search);
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
