import type { CallOptions } from "./http.js";

/** One page of a list, and the way to the next. */
export interface Page<Item> {
  items: Item[];
  /** What to hand in as `cursor` for the next page; null on the last. */
  nextCursor: string | null;
}

/** A list: await it for its first page, or iterate over all of it. */
export class List<Item> implements PromiseLike<Page<Item>>, AsyncIterable<Item> {
  readonly #read: (cursor: string | undefined) => Promise<Page<Item>>;
  readonly #cursor: string | undefined;

  constructor(read: (cursor: string | undefined) => Promise<Page<Item>>, cursor: string | undefined) {
    this.#read = read;
    this.#cursor = cursor;
  }

  then<A = Page<Item>, B = never>(
    resolve?: ((page: Page<Item>) => A | PromiseLike<A>) | null,
    reject?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#read(this.#cursor).then(resolve, reject);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Item> {
    let cursor: string | undefined = this.#cursor;
    do {
      const page = await this.#read(cursor);
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
}

interface Listed<Item> {
  data: Item[];
  pagination: { nextCursor?: string | null };
}

export function list<Item>(
  query: { cursor?: string } & Record<string, unknown>,
  options: CallOptions,
  call: (query: Record<string, unknown>, options: CallOptions) => Promise<Listed<Item>>,
): List<Item> {
  return new List(async (cursor) => {
    const { data, pagination } = await call({ ...query, cursor }, options);
    return { items: data, nextCursor: pagination.nextCursor ?? null };
  }, query.cursor);
}
