import { XPayAuthError, configurationError } from '../../core/errors.js';
import type { ApiPaging } from '../../core/ports.js';
import { isAbsent, isObject } from '../../core/decoders.js';
import { encodeJson } from '../../http/encode.js';

/**
 * Paging of the lists of xPay.stream. The field `page` of the request is the number of the page, beginning with 1. The vendor
 * describes a boolean `nextPage` in the answer but not its place, so `nextPage` is read from `success` and from `success.data`.
 *
 * Source: https://docs.xpay.stream/wallets/search-wallets
 */
export const xPayPaging: ApiPaging = {
  first(body = {}) {
    const copy: unknown = JSON.parse(encodeJson(body));
    if (!isObject(copy)) throw configurationError('The body of pages() must be an object');
    const { page = 1 } = copy;
    if (!isPageNumber(page))
      throw configurationError('The page in the body of pages() must be an integer of 1 or more');
    return { ...copy, page };
  },

  read({ data, meta }, body) {
    const fields = isObject(data) ? data : {};
    const items = itemsOf(data);
    const flag = meta['nextPage'] ?? fields['nextPage'];
    if (!isAbsent(flag) && typeof flag !== 'boolean') throw malformed('a nextPage that is neither true nor false');
    // Without the flag, only an empty page shows that the list has ended.
    const hasNext = flag ?? items.length > 0;
    const { page } = body as { readonly page: number };
    return { items, ...(hasNext && { next: { ...(body as object), page: page + 1 } }) };
  },
};

/** Returns the list: the data, or the only list inside the data. `null` is an empty list. */
function itemsOf(data: unknown): readonly unknown[] {
  if (isAbsent(data)) return [];
  const [list, ...others] = [data, ...(isObject(data) ? Object.values(data) : [])].filter((value) =>
    Array.isArray(value),
  );
  if (list === undefined || others.length > 0) throw malformed('no list, or more than one');
  return list;
}

function isPageNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function malformed(what: string): XPayAuthError {
  return new XPayAuthError('upstream_malformed', `The upstream answered a page with ${what}`);
}
