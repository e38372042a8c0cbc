import { isRecord } from './wire-message.js';
import type { WireAnswer } from './wire-message.js';
import { type XPayCall, xpaySuccess } from './xpay-envelope.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Answers a `…/find`: filtered, sorted and in pages (https://docs.xpay.stream/wallets/search-wallets).
 *
 * @param all the items of the account, oldest first
 * @param searched the texts that a field of the request is searched in
 */
export function findAnswer<T extends Fields>(
  call: XPayCall,
  all: readonly T[],
  body: Fields,
  searched: Readonly<Record<string, (item: T) => readonly unknown[]>>,
): WireAnswer {
  const fits = (item: T): boolean =>
    Object.entries(searched).every(([field, textsOf]) => {
      const sought = body[field];
      return typeof sought !== 'string' || textsOf(item).some((text) => String(text).includes(sought));
    });
  const found = sorted(all, body['sort']).filter(fits);
  const page = positive(body['page'], 1);
  const size = positive(body['pageSize'], 10);
  const items = found.slice((page - 1) * size, page * size);

  const { nextPagePlacement, pageTotals } = call.settings;
  const paging = {
    ...(nextPagePlacement !== 'none' && { nextPage: found.length > page * size }),
    ...(pageTotals && { page, total: found.length, count: items.length }),
  };
  if (nextPagePlacement === 'data') return xpaySuccess(call, 'Done', { items, ...paging });
  return xpaySuccess(call, 'Done', items, 'ok', paging);
}

/** Sorts by fields of the item or of its `balances`: 1 ascending, any other value descending. By default the newest item is first. */
function sorted<T extends Fields>(all: readonly T[], sort: unknown): T[] {
  // Items of one millisecond have the same `createdAt`, so the order of creation is compared instead.
  const ranks = new Map(all.map((item, rank) => [item, rank]));
  const valueOf = (item: T, field: string): number => {
    if (field === 'createdAt') return ranks.get(item) ?? 0;
    return Number(item[field] ?? (isRecord(item['balances']) ? item['balances'][field] : 0)) || 0;
  };
  const order = [...Object.entries(isRecord(sort) ? sort : {}), ['createdAt', -1] as const];
  return all.toSorted((one, other) => {
    for (const [field, direction] of order) {
      const difference = valueOf(one, field) - valueOf(other, field);
      if (difference !== 0) return Number(direction) === 1 ? difference : -difference;
    }
    return 0;
  });
}

function positive(value: unknown, otherwise: number): number {
  return Math.max(1, Math.trunc(Number(value ?? otherwise)) || otherwise);
}
