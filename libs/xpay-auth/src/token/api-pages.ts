import { configurationError } from '../core/errors.js';
import type { ApiPageAnswer, ApiPaging } from '../core/ports.js';

/** Default of `maxPages`. Without a maximum, an upstream that ignores the page number would cause an endless loop. */
const MOST_PAGES = 10_000;

/** A list to read page by page. */
export interface PagedCall {
  /** The paging of the dialect, if it has one. */
  readonly paging: ApiPaging | undefined;
  /** The body that the caller passed. */
  readonly body: unknown;
  /** @default 10_000 */
  readonly maxPages: number | undefined;
  /** Calls the upstream with the body of one page. */
  readonly call: (body: unknown) => Promise<ApiPageAnswer>;
}

/**
 * Returns the items of a list. The upstream is called for a page when all items of the previous pages have been read. The body is
 * copied before `itemsOf` returns. Every failure, `configuration` included, is thrown when an item is read.
 */
export function itemsOf(list: PagedCall): AsyncIterable<unknown> {
  const first = firstPage(list);
  // The error is thrown when an item is read. An app that reads none gets no unhandled rejection.
  first.catch(() => undefined);
  return { [Symbol.asyncIterator]: () => iterate(list, first) };
}

/** Has no `await`, so that the body is copied before `itemsOf` returns. */
async function firstPage({ paging, body, maxPages = MOST_PAGES }: PagedCall) {
  if (paging === undefined) {
    throw configurationError('The dialect has no paging, so pages() cannot be used; call request() for each page');
  }
  if (!Number.isSafeInteger(maxPages) || maxPages < 1) {
    throw configurationError('maxPages must be an integer of 1 or more');
  }
  return { paging, body: paging.first(body), maxPages };
}

async function* iterate({ call }: PagedCall, first: ReturnType<typeof firstPage>) {
  const { paging, maxPages, ...page } = await first;
  let { body } = page;
  for (let count = 1; count <= maxPages; count++) {
    const { items, next } = paging.read(await call(body), body);
    yield* items;
    if (next === undefined) return;
    body = next;
  }
  throw configurationError(`The list has not ended after ${maxPages} pages; raise maxPages of pages() if it is longer`);
}
