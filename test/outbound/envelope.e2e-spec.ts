import { describe, expect, it } from '@jest/globals';
import { giftStream, passwordLogin, xPay } from 'nestjs-xpay-auth';
import { FIND, failureOf, startOutbound } from './outbound.js';
import { startRecordedCalls } from './recorded-calls.js';

const DIALECTS = { xPay, giftStream, passwordLogin };

/** Reads every item. */
async function itemsOf<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

const tags = (wallets: readonly { tag: string }[]): string[] => wallets.map(({ tag }) => tag);

describe('the result of an API call', () => {
  it('A1 · has the message and every other field of the success of xPay.stream', async () => {
    await using app = await startOutbound();
    const { meta, ...rest } = await app.http.request({ path: FIND, body: { pageSize: 2 } });
    expect(rest).toEqual({ message: 'Done', data: [expect.anything(), expect.anything()], uuid: expect.any(String) });
    expect(meta).toEqual({ nextPage: true });
  });

  it.each(['top', 'inside'] as const)(
    'A1 · has no uuid in its other fields, wherever it was: %s',
    async (placement) => {
      await using app = await startOutbound({}, { uuidPlacement: placement });
      const { uuid, meta } = await app.http.request({ path: FIND, body: { pageSize: 3 } });
      expect([uuid, meta]).toEqual([app.xpay.ledger.at(-1)?.uuid, { nextPage: false }]);
    },
  );

  it.each([
    ['xPay', '{"success":{"data":1,"total":2}}', { data: 1, meta: { total: 2 } }],
    ['xPay', '{"success":{"data":1,"message":5}}', { data: 1, meta: {} }],
    ['xPay', '{"success":{"data":1,"message":null}}', { data: 1, meta: {} }],
    [
      'giftStream',
      '{"message":"OK","timestamp":5,"records_returned":0,"data":[]}',
      { message: 'OK', data: [], meta: { timestamp: 5, records_returned: 0 } },
    ],
    ['giftStream', '{"message":"OK","timestamp":5}', { data: { message: 'OK', timestamp: 5 }, meta: {} }],
    ['passwordLogin', '{"message":"OK","data":1}', { data: { message: 'OK', data: 1 }, meta: {} }],
    ['passwordLogin', '', { data: null, meta: {} }],
  ] as const)('A1 · is read from the envelope of %s: %s', async (dialect, body, expected) => {
    await using calls = await startRecordedCalls(DIALECTS[dialect](), body);
    expect(await calls.http.request({ path: '/path' })).toEqual({ ...expected, uuid: expect.any(String) });
  });

  it.each([
    ['xPay', '{"success":{"data":[],"__proto__":{"nextPage":true,"message":"no"}}}'],
    ['giftStream', '{"data":[],"__proto__":{"nextPage":true,"message":"no"}}'],
  ] as const)('A1 · has only own fields: __proto__ of %s is a field, not a prototype', async (dialect, body) => {
    await using calls = await startRecordedCalls(DIALECTS[dialect](), body);
    const { message, meta } = await calls.http.request({ path: '/path' });
    expect(message).toBeUndefined();
    expect(meta['nextPage']).toBeUndefined();
    expect(Object.getPrototypeOf(meta)).toBe(Object.prototype);
    expect(Object.keys(meta)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['nextPage']).toBeUndefined();
  });
});

describe('pages', () => {
  it.each(['success', 'data'] as const)(
    'A2 · yields the items of every page and stops at the last one, with nextPage inside %s',
    async (nextPagePlacement) => {
      await using app = await startOutbound({}, { walletsPerAccount: 6, nextPagePlacement });
      const wallets = await itemsOf(app.http.pages<{ tag: string }>(FIND, { pageSize: 2 }));
      expect(tags(wallets)).toEqual(['wallet-1', 'wallet-2', 'wallet-3', 'wallet-4', 'wallet-5', 'wallet-6']);
      const bodies = app.xpay.ledger.filter(({ path }) => path === FIND).map(({ body }) => body);
      expect(bodies).toEqual([1, 2, 3].map((page) => ({ pageSize: 2, page })));
      expect(new Set(app.xpay.ledger.map(({ uuid }) => uuid)).size).toBe(4);
    },
  );

  it('A2 · stops at an empty page where the upstream states no nextPage', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 4, nextPagePlacement: 'none' });
    expect(await itemsOf(app.http.pages(FIND, { pageSize: 2 }))).toHaveLength(4);
    expect(app.xpay.requests(FIND)).toBe(3);
  });

  it('A2 · begins at the page of the body, and sends a body of its own without one', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 11 });
    expect(await itemsOf(app.http.pages(FIND))).toHaveLength(11);
    expect(tags(await itemsOf(app.http.pages<{ tag: string }>(FIND, { page: 2 })))).toEqual(['wallet-11']);
  });

  it('A2 · follows nextPage also after an empty page, and counts null as an empty page and as no flag', async () => {
    const answers = [
      { data: null, nextPage: true },
      { data: [], nextPage: true },
      { data: ['a'], nextPage: null },
      { data: null, nextPage: null },
    ];
    await using calls = await startRecordedCalls(xPay(), (at) => JSON.stringify({ success: answers[at - 1] }));
    expect(await itemsOf(calls.http.pages('/find'))).toEqual(['a']);
    expect(calls.recorded).toHaveLength(4);
  });

  it('A2 · ignores a nextPage in __proto__', async () => {
    const bodies = ['{"success":{"data":[1],"__proto__":{"nextPage":false}}}', '{"success":{"data":[]}}'];
    await using calls = await startRecordedCalls(xPay(), (at) => bodies[at - 1] ?? '');
    expect(await itemsOf(calls.http.pages('/find'))).toEqual([1]);
    expect(calls.recorded).toHaveLength(2);
  });

  it('A2 · throws once maxPages pages do not end the list, after their items', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 6 });
    const seen: unknown[] = [];
    const read = async (maxPages: number): Promise<void> => {
      for await (const wallet of app.http.pages(FIND, { pageSize: 2 }, { maxPages })) seen.push(wallet);
    };
    expect(await failureOf(read(2))).toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('maxPages'),
    });
    expect([seen.length, app.xpay.requests(FIND)]).toEqual([4, 2]);
    await read(3);
    expect([seen.length, app.xpay.requests(FIND)]).toEqual([10, 5]);
  });

  it('A2 · sends no request before an item is read, and none after the reader stops', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 6 });
    const pages = app.http.pages(FIND, { pageSize: 2 });
    expect(app.xpay.requests(FIND)).toBe(0);
    let seen = 0;
    for await (const _ of pages) if (++seen === 2) break;
    expect(app.xpay.requests(FIND)).toBe(1);
  });

  it('A2 · copies the body and the headers when it is called, and sends both with every page', async () => {
    await using app = await startOutbound();
    const body = { pageSize: 2, sort: { createdAt: -1 } };
    const headers = { 'x-trace': 't-1' };
    const pages = app.http.pages(FIND, body, { headers });
    body.pageSize = 1;
    body.sort.createdAt = 1;
    headers['x-trace'] = 't-2';
    expect(await itemsOf(pages)).toHaveLength(3);
    const calls = app.xpay.ledger.filter(({ path }) => path === FIND);
    const sent = { pageSize: 2, sort: { createdAt: -1 } };
    expect(calls.map((entry) => entry.body)).toEqual([
      { ...sent, page: 1 },
      { ...sent, page: 2 },
    ]);
    expect(calls.map((entry) => entry.headers['x-trace'])).toEqual(['t-1', 't-1']);
  });

  it('A2 · repeats a page once after a rejected token, and continues', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 6 });
    const tagsSeen: string[] = [];
    for await (const { tag } of app.http.pages<{ tag: string }>(FIND, { pageSize: 2 })) {
      tagsSeen.push(tag);
      if (tag === 'wallet-2') app.xpay.revokeTokens();
    }
    expect(tagsSeen).toHaveLength(6);
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([2, 4]);
  });

  it('A2 · ends with the failure of a page, with the reason of an abort, and with shutting_down', async () => {
    await using app = await startOutbound({}, { walletsPerAccount: 6 });
    const readUntilPageTwo = async (act: () => unknown, signal?: AbortSignal): Promise<void> => {
      let seen = 0;
      const options = signal === undefined ? {} : { signal };
      for await (const _ of app.http.pages(FIND, { pageSize: 2 }, options)) if (++seen === 2) await act();
    };
    const maintenance = readUntilPageTwo(() => app.xpay.businessError('maintenance', null, { path: FIND }));
    expect(await failureOf(maintenance)).toMatchObject({ code: 'upstream_business_error' });
    const leaving = new AbortController();
    const gone = new Error('the reader has left');
    await expect(readUntilPageTwo(() => leaving.abort(gone), leaving.signal)).rejects.toBe(gone);
    expect(await failureOf(readUntilPageTwo(() => app.module.close()))).toMatchObject({ code: 'shutting_down' });
  });

  it.each([
    ['a nextPage that is no boolean', '{"success":{"data":[1],"nextPage":"yes"}}'],
    ['data without a list', '{"success":{"data":{"uuid":"w-1"},"nextPage":false}}'],
    ['data with two lists', '{"success":{"data":{"wallets":[1],"bills":[2],"nextPage":false}}}'],
    ['a text as data', '{"success":{"data":"none"}}'],
  ])('A2 · throws upstream_malformed for %s', async (_, body) => {
    await using calls = await startRecordedCalls(xPay(), body);
    expect(await failureOf(itemsOf(calls.http.pages('/find')))).toMatchObject({ code: 'upstream_malformed' });
    expect(calls.recorded).toHaveLength(1);
  });

  it.each([
    ['a list as its body', [1], {}],
    ['a text as its body', 'page 1', {}],
    ['a body that is not JSON', new Map(), {}],
    ['page 0', { page: 0 }, {}],
    ['a page that is no number', { page: '1' }, {}],
    ['maxPages 0', {}, { maxPages: 0 }],
    ['maxPages 1.5', {}, { maxPages: 1.5 }],
  ])('A2 · throws configuration before anything is sent for %s', async (_, body, options) => {
    await using calls = await startRecordedCalls(xPay());
    const pages = calls.http.pages('/find', body, options);
    expect(await failureOf(itemsOf(pages))).toMatchObject({ code: 'configuration', status: 500 });
    expect([calls.logins, calls.recorded.length]).toEqual([0, 0]);
  });

  it.each(['giftStream', 'passwordLogin'] as const)(
    'A2 · throws configuration with %s, which has no paging',
    async (dialect) => {
      await using calls = await startRecordedCalls(DIALECTS[dialect]());
      expect(await failureOf(itemsOf(calls.http.pages('/sites')))).toMatchObject({ code: 'configuration' });
      expect([calls.logins, calls.recorded.length]).toEqual([0, 0]);
    },
  );
});
