// Reading from the vault: one way to wait, to fail and to try again.

/** Something that is read, and read again whenever what it was asked for changes. */
export class Loading<T> {
  value = $state.raw<T>();
  error = $state.raw<unknown>();
  busy = $state(false);
  readonly #read: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read;
  }

  /** Reads; an earlier reading that is still under way is given up. */
  reload(): void {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.busy = true;
    const done = (settle: () => void) => {
      if (running.signal.aborted) return;
      this.busy = false;
      settle();
    };
    this.#read(running.signal).then(
      (value) => done(() => ([this.value, this.error] = [value, undefined])),
      (error: unknown) => done(() => (this.error = error)),
    );
  }

  stop(): void {
    this.#running?.abort();
  }
}

/** Reads as long as the component is there. What `read` looks at before it first waits is what it depends on. */
export function load<T>(read: (signal: AbortSignal) => Promise<T>): Loading<T> {
  const loading = new Loading(read);
  $effect(() => {
    loading.reload();
    return () => loading.stop();
  });
  return loading;
}

interface PageOf<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** A list that is read page by page. */
export class Pages<Item> {
  items = $state.raw<Item[]>();
  error = $state.raw<unknown>();
  busy = $state(false);
  more = $state(false);
  readonly #read: (cursor: string | undefined, signal: AbortSignal) => PromiseLike<PageOf<Item>>;
  #cursor: string | undefined;
  #running: AbortController | undefined;

  constructor(read: (cursor: string | undefined, signal: AbortSignal) => PromiseLike<PageOf<Item>>) {
    this.#read = read;
  }

  /** The first page anew. */
  reload(): void {
    this.#cursor = undefined;
    this.#next(() => [], true);
  }

  /** One page more. */
  next(): void {
    this.#next(() => this.items ?? [], false);
  }

  stop(): void {
    this.#running?.abort();
  }

  #next(before: () => Item[], first: boolean): void {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.busy = true;
    this.#read(this.#cursor, running.signal).then(
      ({ items, nextCursor }) => {
        if (running.signal.aborted) return;
        this.items = [...before(), ...items];
        this.#cursor = nextCursor ?? undefined;
        [this.more, this.busy, this.error] = [nextCursor !== null, false, undefined];
      },
      (error: unknown) => {
        if (running.signal.aborted) return;
        [this.busy, this.error] = [false, error];
        // What is there answers another question.
        if (first) [this.items, this.more] = [undefined, false];
      },
    );
  }
}

/** The same as {@link load}, for lists. */
export function loadPages<Item>(
  read: (cursor: string | undefined, signal: AbortSignal) => PromiseLike<PageOf<Item>>,
): Pages<Item> {
  const pages = new Pages(read);
  $effect(() => {
    pages.reload();
    return () => pages.stop();
  });
  return pages;
}
