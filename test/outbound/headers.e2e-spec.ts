import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type HttpOptions, xPay } from 'nestjs-xpay-auth';
import { undiciTransport } from 'nestjs-xpay-auth/undici';
import { FIND, failureOf } from './outbound.js';
import { type RecordedCalls, startRecordedCalls } from './recorded-calls.js';

const TRANSPORTS: Readonly<Record<string, () => HttpOptions>> = {
  axios: () => ({}),
  undici: () => ({ transport: undiciTransport() }),
};

describe.each(Object.entries(TRANSPORTS))('the headers of an API call over %s', (_transport, http) => {
  let calls: RecordedCalls;
  beforeEach(async () => (calls = await startRecordedCalls(xPay(), undefined, { timeoutMs: 20_000, ...http() })));
  afterEach(async () => calls[Symbol.asyncDispose]());

  it.each(['authorization', 'Authorization', 'AUTHORIZATION'])(
    'O15 · the token replaces a header %s of the call',
    async (name) => {
      const token = await calls.tokens.getToken();
      await calls.http.post(FIND, {}, { headers: { [name]: 'Bearer of-the-app' } });
      expect(calls.recorded.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${token.value}`]);
    },
  );

  it('O15 · the dialect replaces equal headers of the call, in any case of letters', async () => {
    await calls.http.post(FIND, {}, { headers: { 'Content-Type': 'text/plain', UUID: 'of-the-app' }, uuid: 'a-uuid' });
    expect(calls.recorded[0]?.headers).toMatchObject({ 'content-type': 'application/json', uuid: 'a-uuid' });
  });

  it('O15 · other headers of the call are sent once, and replace the defaults', async () => {
    const headers = { Accept: 'text/csv', 'User-Agent': 'my-app', 'X-Tenant': 'é' };
    await calls.http.post(FIND, {}, { headers });
    const sent = calls.recorded[0]?.headers;
    expect([sent?.accept, sent?.['user-agent'], sent?.['x-tenant']]).toEqual(['text/csv', 'my-app', 'é']);
  });

  it.each([
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
  ])('E1 · a header %s, which belongs to the connection, is refused', async (name) => {
    const failure = await failureOf(calls.http.post(FIND, { page: 1 }, { headers: { [name]: '1' } }));
    expect(failure).toMatchObject({ code: 'configuration' });
    expect(failure.message).toContain(`"${name.toLowerCase()}"`);
    expect([calls.recorded, calls.logins]).toEqual([[], 0]);
  });

  const INVALID: Readonly<Record<string, unknown>> = {
    'a line break': { 'x-note': 'a\r\nauthorization: Bearer secret' },
    'a character beyond Latin-1': { 'x-note': 'secret 日本' },
    'a NUL': { 'x-note': 'secret\0' },
    'a name with a space': { 'x note': 'secret' },
    'no name': { '': 'secret' },
    'a list': { 'x-note': ['secret', 'secret'] },
    'a number': { 'x-note': 5 },
    null: { 'x-note': null },
    'an object without own members': new Headers({ 'x-note': 'secret' }),
  };
  it.each(Object.entries(INVALID))('E1 · headers with %s are refused before anything is sent', async (_, headers) => {
    const failure = await failureOf(calls.http.post(FIND, {}, { headers: headers as Record<string, string> }));
    expect(failure).toMatchObject({ code: 'configuration' });
    expect(failure.message).not.toContain('secret');
    expect([calls.recorded, calls.logins]).toEqual([[], 0]);
  });

  it('E1 · a uuid that does not fit a header is refused before anything is sent', async () => {
    const failure = await failureOf(calls.http.post(FIND, {}, { uuid: 'a\r\nb' }));
    expect(failure).toMatchObject({ code: 'configuration' });
    expect(calls.recorded).toEqual([]);
  });

  it('O15 · a header that is undefined is left out', async () => {
    const headers = { 'x-tenant': undefined as unknown as string };
    await calls.http.post(FIND, {}, { headers });
    expect(calls.recorded[0]?.headers).not.toHaveProperty('x-tenant');
  });

  it('E1 · headers of pages() are refused when an item is read', async () => {
    const pages = calls.http.pages(FIND, {}, { headers: { host: 'elsewhere.example.test' } });
    const read = async (): Promise<void> => {
      for await (const item of pages) expect(item).toBeUndefined();
    };
    expect(await failureOf(read())).toMatchObject({ code: 'configuration' });
    expect(calls.recorded).toEqual([]);
  });

  it('O17 · the error of a refused path does not contain the path', async () => {
    const paths = ['giftcard/card-4111', '//giftcard/card-4111'];
    for (const path of paths) {
      const failure = await failureOf(calls.http.request({ path }));
      expect([failure.code, failure.message]).toEqual(['configuration', expect.not.stringContaining('4111')]);
    }
  });
});
