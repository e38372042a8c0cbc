import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { type Dialect, attachXPayBearer, giftStream, passwordLogin, xPay } from 'nestjs-xpay-auth';
import { Readable, Writable } from 'node:stream';
import { inspect } from 'node:util';
import { failureOf } from './outbound.js';
import { type RecordedCalls, startRecordedCalls } from './recorded-calls.js';

const HIDDEN = 'hidden-31416';

class Vault {
  readonly #content = HIDDEN;
  open(): string {
    return this.#content;
  }
}

class Find {
  page = 1;
  filter = undefined;
}

/** Its JSON is a string. */
class Reference {
  constructor(private readonly id: string) {}
  toJSON(): string {
    return `ref:${this.id}`;
  }
}

/** Its JSON is an object, although it is an array. */
class Page extends Array<number> {
  toJSON(): object {
    return { items: [...this] };
  }
}

/** Its JSON has a member that a copy of its enumerable members lacks. */
function amountOf(): object {
  const body = {
    toJSON(this: { amount: number }) {
      return { amount: this.amount };
    },
  };
  return Object.defineProperty(body, 'amount', { value: 5 });
}

function formData(): FormData {
  const form = new FormData();
  form.append('field', HIDDEN);
  return form;
}

function circular(): object {
  const loop: Record<string, unknown> = { secret: HIDDEN };
  loop['self'] = loop;
  return loop;
}

function deep(): unknown {
  let value: unknown = HIDDEN;
  for (let i = 0; i < 100_000; i++) value = [value];
  return value;
}

/** Values that neither JSON nor a form can express, and the type that the error names. */
const opaque: Readonly<Record<string, () => unknown>> = {
  FormData: formData,
  Blob: () => new Blob([HIDDEN]),
  File: () => new File([HIDDEN], 'name.txt'),
  Map: () => new Map([['field', HIDDEN]]),
  Set: () => new Set([HIDDEN]),
  WeakMap: () => new WeakMap(),
  Headers: () => new Headers({ field: HIDDEN }),
  Readable: () => Readable.from([HIDDEN]),
  Writable: () => new Writable(),
  ReadableStream: () => new Blob([HIDDEN]).stream(),
  Buffer: () => Buffer.from(HIDDEN),
  Uint8Array: () => new TextEncoder().encode(HIDDEN),
  Float64Array: () => new Float64Array([31_416]),
  ArrayBuffer: () => new ArrayBuffer(8),
  DataView: () => new DataView(new ArrayBuffer(8)),
  Promise: () => Promise.resolve(HIDDEN),
  RegExp: () => new RegExp(HIDDEN),
  Error: () => Object.assign(new Error(HIDDEN), { code: HIDDEN }),
  Vault: () => new Vault(),
  function: () => () => HIDDEN,
  symbol: () => Symbol(HIDDEN),
};

/** Values that JSON alone cannot express. */
const notJson: Readonly<Record<string, () => unknown>> = {
  ...opaque,
  URLSearchParams: () => new URLSearchParams({ field: HIDDEN }),
  bigint: () => 31_416n,
  'not finite': () => NaN,
  'not finite (Infinity)': () => -Infinity,
  'not finite (boxed)': () => Object(NaN) as unknown,
  'an invalid Date': () => new Date(NaN),
};

const circulars: Readonly<Record<string, () => unknown>> = {
  'a circular object': circular,
  'a list in itself': () => {
    const list: unknown[] = [HIDDEN];
    list.push(list);
    return list;
  },
  'a list 100,000 levels deep': deep,
  'an object whose toJSON throws': () => ({
    toJSON: () => {
      throw new Error(HIDDEN);
    },
  }),
};

/** The failure of a call with this body: typed, before a token is obtained and before anything is sent. */
async function refused(calls: RecordedCalls, body: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<string> {
  const failure = await failureOf(calls.http.request({ method, path: '/client/wallets/find', body }));
  expect(failure).toMatchObject({ code: 'configuration', status: 500, trouble: 'ours' });
  expect([calls.logins, calls.recorded.length]).toEqual([0, 0]);
  expect(inspect(failure, { depth: Infinity, showHidden: true })).not.toMatch(/hidden-31416|31416/);
  return failure.message;
}

/** The body that arrives, as text. */
async function sent(calls: RecordedCalls, body: unknown): Promise<string | undefined> {
  await calls.http.post('/client/wallets/find', body);
  return calls.recorded.at(-1)?.body;
}

const plain = (type: string): string => type.replace(/ \(.*\)$/, '');

let calls: RecordedCalls;
afterEach(async () => calls[Symbol.asyncDispose]());

const jsonDialects: Readonly<Record<string, Dialect>> = { xPay: xPay(), passwordLogin: passwordLogin() };

describe.each(Object.entries(jsonDialects))('the body of a call in JSON (%s)', (name, dialect) => {
  beforeEach(async () => {
    calls = await startRecordedCalls(dialect);
  });
  const unsendable = Object.entries(notJson);
  const acceptsForms = name === 'passwordLogin';

  it.each(unsendable.filter(([type]) => !(acceptsForms && type === 'URLSearchParams')))(
    'E1 · refuses a body that JSON cannot express before anything is sent: %s',
    async (type, make) => {
      expect(await refused(calls, make())).toContain(plain(type));
    },
  );

  it.each(unsendable)('E1 · refuses it inside an object and a list too, naming the member: %s', async (type, make) => {
    const message = await refused(calls, { amount: 1, list: [{ upload: make() }] });
    expect(message).toContain(plain(type));
    expect(message).toContain('"upload"');
    expect(await refused(calls, [make()], 'PUT')).toContain('element');
  });

  it.each(Object.entries(circulars))('E1 · refuses %s with a typed error', async (_, make) => {
    await refused(calls, make());
    await refused(calls, { inner: make() });
  });

  it('E1 · refuses undefined in a list, which JSON turns into null', async () => {
    expect(await refused(calls, { ids: [1, undefined] })).toContain('undefined');
    const hole: unknown[] = [];
    hole.length = 1;
    await refused(calls, { ids: hole });
  });

  it('E1 · does not print the name of a member that is not a plain name', async () => {
    expect(await refused(calls, { [`${HIDDEN}\n[Nest] LOG`]: new Map() })).not.toContain('\n');
  });

  it.each<[string, unknown, string]>([
    [
      'an object',
      { page: 1, note: 'ä \u2028', none: null, on: true },
      '{"page":1,"note":"ä \u2028","none":null,"on":true}',
    ],
    ['an empty object', {}, '{}'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['a list', [1, ['a'], {}], '[1,["a"],{}]'],
    ['a text', 'a "text"', '"a \\"text\\""'],
    ['a number', 5, '5'],
    ['false', false, 'false'],
    ['null', null, 'null'],
    ['members that are undefined, which are left out', { a: 1, b: undefined }, '{"a":1}'],
    ['an instance of a class with data', new Find(), '{"page":1}'],
    [
      'dates and other objects with toJSON',
      { at: new Date(0), ref: new Reference('r-1') },
      '{"at":"1970-01-01T00:00:00.000Z","ref":"ref:r-1"}',
    ],
    ['an object with toJSON as the whole body', new Reference('r-1'), '"ref:r-1"'],
    ['a URL', { back: new URL('https://example.test/') }, '{"back":"https://example.test/"}'],
    ['boxed values', { text: Object('a'), on: Object(true), count: Object(1) }, '{"text":"a","on":true,"count":1}'],
    ['one object twice', ((one) => ({ a: one, b: one }))({ x: 1 }), '{"a":{"x":1},"b":{"x":1}}'],
  ])('E1 · sends %s as JSON', async (_, body, text) => {
    expect(await sent(calls, body)).toBe(text);
    expect(calls.recorded.at(-1)?.headers['content-type']).toBe('application/json');
  });

  it(`E1 · ${acceptsForms ? 'sends URLSearchParams as a form' : 'sends {} for a call without a body'}`, async () => {
    if (!acceptsForms) return expect(await sent(calls, undefined)).toBe('{}');
    expect(await sent(calls, new URLSearchParams({ a: 'b c' }))).toBe('a=b+c');
    expect(calls.recorded.at(-1)?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });
});

describe('the body of a call as a form (giftStream)', () => {
  beforeEach(async () => {
    calls = await startRecordedCalls(giftStream());
  });

  it.each([
    ...Object.entries(opaque),
    ['Date', () => new Date(0)],
    ['Reference', () => new Reference(HIDDEN)],
    ['Array', () => [HIDDEN]],
    ['string', () => HIDDEN],
    ['null', () => null],
    ['number', () => 5],
  ] as [string, () => unknown][])('E1 · refuses a body that is not an object of fields: %s', async (type, make) => {
    expect(await refused(calls, make())).toContain(type);
  });

  it.each([
    ...Object.entries(opaque),
    ['URLSearchParams', () => new URLSearchParams({ field: HIDDEN })],
    ['not finite', () => NaN],
    ['lone surrogate', () => `${HIDDEN}\ud800`],
    ['Date', () => new Date(0)],
    ['Array', () => [HIDDEN]],
    ['Object', () => ({ inner: HIDDEN })],
    ['Object', () => Object.assign(Object.create(null), { inner: HIDDEN }) as unknown],
  ] as [string, () => unknown][])('E1 · refuses a field of type %s, naming it', async (type, make) => {
    const message = await refused(calls, { siteId: 1, upload: make() });
    expect(message).toContain('"upload"');
    expect(message).toContain(type);
  });

  it.each<[string, unknown, string]>([
    [
      'strings, numbers, bigints and booleans',
      { a: ' +&', b: 1.5, c: 10n, d: true, e: false },
      'a=+%2B%26&b=1.5&c=10&d=1&e=0',
    ],
    ['no field for undefined and null', { a: 1, b: undefined, c: null }, 'a=1'],
    ['an instance of a class with data', new Find(), 'page=1'],
    ['URLSearchParams', new URLSearchParams('a=1&a=2'), 'a=1&a=2'],
  ])('E1 · sends %s', async (_, body, text) => {
    expect(await sent(calls, body)).toBe(text);
  });
});

/** A dialect of an app that does not use the library's helpers. */
const own: Dialect = {
  ...xPay(),
  api: {
    ...xPay().api,
    encode: ({ method, path, headers, body }, token) => ({
      method,
      path,
      headers: { ...headers, authorization: `Bearer ${token.value}` },
      body: JSON.stringify(body),
    }),
  },
};

describe('the body of a call in a custom dialect', () => {
  it.each([...Object.entries(circulars), ['bigint', () => 31_416n] as [string, () => unknown]])(
    'E1 · an error of its encoder becomes a typed error: %s',
    async (_, make) => {
      calls = await startRecordedCalls(own);
      await refused(calls, { inner: make() });
    },
  );

  it('E1 · an error of its encoder never has a code that blames the caller', async () => {
    const { XPayAuthError } = await import('nestjs-xpay-auth');
    const encode = (): never => {
      throw new XPayAuthError('invalid_credentials', 'not like this');
    };
    calls = await startRecordedCalls({ ...own, api: { ...own.api, encode } });
    expect(await refused(calls, {})).toContain('not like this');
  });

  it.each<[string, (key: string) => string, (body: string) => unknown]>([
    ['JSON', (key) => JSON.stringify({ key }), (body) => (JSON.parse(body) as { key: unknown }).key],
    ['a form', (key) => new URLSearchParams({ key }).toString(), (body) => new URLSearchParams(body).get('key')],
    ['plain text', (key) => key, (body) => body],
  ])('E2 · a token that it writes into the body as %s arrives unchanged', async (_, write, read) => {
    const value = 'a+b/c==&"\\$&';
    const own = xPay();
    calls = await startRecordedCalls({
      ...own,
      api: { ...own.api, encode: (call, token) => ({ ...own.api.encode(call, token), body: write(token.value) }) },
    });
    calls.tokenValue = value;
    await calls.http.post('/client/wallets/find', {});
    expect(calls.recorded.map(({ body }) => read(body))).toEqual([value]);
  });

  it('E2 · a token that it writes into the body is the one of the current attempt', async () => {
    calls = await startRecordedCalls({
      ...own,
      api: {
        ...own.api,
        encode: (call, token) => ({ ...own.api.encode(call, token), body: JSON.stringify({ key: token.value }) }),
      },
    });
    calls.beforeAnswer = (count) => (count === 1 ? 401 : 200);
    await calls.http.post('/client/wallets/find', {});
    const bodies = calls.recorded.map(({ body, headers }) => [
      (JSON.parse(body) as { key: string }).key,
      headers.authorization?.slice('Bearer '.length),
    ]);
    expect(bodies.map(([key]) => key)).toEqual(bodies.map(([, bearer]) => bearer));
    expect(new Set(bodies.flat()).size).toBe(2);
  });
});

/** A body whose JSON depends on the time. */
class Order {
  constructor(public amount: number) {}
  toJSON(): object {
    return { amount: this.amount };
  }
}

const dialects: Readonly<Record<string, Dialect>> = { ...jsonDialects, giftStream: giftStream(), own };

const bodies = (): string[] => calls.recorded.map(({ body }) => body);

describe.each(Object.entries(dialects))('the snapshot of a call (%s)', (name, dialect) => {
  const isForm = name === 'giftStream';
  const first = isForm ? 'amount=5' : '{"amount":5}';
  beforeEach(async () => {
    calls = await startRecordedCalls(dialect);
  });

  it('E2 · the body is sent as it was when the call was made, whatever changes until the token is available', async () => {
    const body: Record<string, unknown> = { amount: 5 };
    calls.beforeGrant = () => (body['amount'] = 500);
    await calls.http.post('/client/bills/save', body);
    const next = calls.http.post('/client/bills/save', Object.assign(body, { amount: 5 }));
    body['amount'] = 500;
    await next;
    expect(bodies()).toEqual([first, first]);
  });

  it('E2 · the repeat after a 401 sends the same bytes and headers, whatever changes meanwhile', async () => {
    const body: Record<string, unknown> = { amount: 5 };
    const headers: Record<string, string> = { 'x-order': 'one' };
    calls.beforeAnswer = (count) => {
      Object.assign(body, { amount: 500, other: 1 });
      Object.assign(headers, { 'x-order': 'two', 'x-other': '1' });
      return count === 1 ? 401 : 200;
    };
    await calls.http.post('/client/bills/save', body, { headers });
    expect(bodies()).toEqual([first, first]);
    expect(calls.recorded.map((request) => request.headers['x-order'])).toEqual(['one', 'one']);
    expect(calls.recorded.map((request) => request.headers['x-other'])).toEqual([undefined, undefined]);
    const [one, two] = calls.recorded.map((request) => request.headers.authorization);
    expect(one).not.toBe(two);
  });

  it(`E2 · holds for ${isForm ? 'URLSearchParams' : 'objects with toJSON'} too`, async () => {
    const order = new Order(5);
    const form = new URLSearchParams({ amount: '5' });
    calls.beforeAnswer = (count) => {
      order.amount = 500;
      form.set('amount', '500');
      return count === 1 ? 401 : 200;
    };
    await calls.http.post('/client/bills/save', isForm ? form : order);
    expect(bodies()).toEqual([first, first]);
  });
});

describe.each(['xPay', 'passwordLogin', 'giftStream'])('the snapshot of a call (%s)', (name) => {
  it('E2 · a body that becomes invalid meanwhile is sent as it was', async () => {
    const dialect = dialects[name];
    if (dialect === undefined) throw new Error(name);
    calls = await startRecordedCalls(dialect);
    const body: Record<string, unknown> = { amount: 5 };
    calls.beforeGrant = () => (body['self'] = body);
    calls.beforeAnswer = (count) => (count === 1 ? 401 : 200);
    await calls.http.post('/client/bills/save', body);
    expect(new Set(calls.recorded.map(({ body: text }) => text)).size).toBe(1);
    expect(calls.recorded).toHaveLength(2);
  });
});

/** A body and a function that changes it. */
function changing<T>(body: T, change: (body: T) => unknown): readonly [body: T, change: () => unknown] {
  return [body, () => change(body)];
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe('the snapshot of a request on an axios instance of the app', () => {
  const five = '{"amount":5}';
  const mutable: readonly (readonly [string, string, () => readonly [unknown, () => unknown]])[] = [
    ['a Buffer', five, () => changing(Buffer.from(five), (body) => body.fill('9'))],
    ['a Uint8Array', five, () => changing(bytes(five), (body) => body.fill(57))],
    ['a part of an array', five, () => changing(bytes(`--${five}--`).subarray(2, -2), (body) => body.fill(57))],
    ['an ArrayBuffer', five, () => changing(bytes(five).buffer, (body) => new Uint8Array(body).fill(57))],
    ['an object', five, () => changing({ amount: 5 }, (body) => (body.amount = 9))],
    [
      'objects in a list',
      '{"of":[[{"amount":5,"at":"1970-01-01T00:00:00.000Z"}]]}',
      () =>
        changing({ of: [[{ amount: 5, at: new Date(0) }]] }, ({ of }) =>
          Object.assign(of[0]?.[0] ?? {}, { amount: 9 }),
        ),
    ],
    ['URLSearchParams', 'amount=5', () => changing(new URLSearchParams('amount=5'), (body) => body.set('amount', '9'))],
  ];

  it.each(mutable)(
    'E2 · %s is sent as it was, first and again after a 401, whatever changes meanwhile',
    async (_, text, make) => {
      calls = await startRecordedCalls(xPay());
      const client = axios.create({ baseURL: calls.url, proxy: false });
      attachXPayBearer(client, calls.tokens);
      // While the request waits for the first token.
      const [body, change] = make();
      calls.beforeGrant = change;
      await client.post('/', body);
      // While it waits for a response.
      const [repeated, changeRepeated] = make();
      calls.beforeAnswer = (count) => {
        changeRepeated();
        return count === 2 ? 401 : 200;
      };
      await client.post('/', repeated);
      expect(calls.recorded.map((request) => request.body)).toEqual([text, text, text]);
    },
  );

  it('E2 · an interceptor that runs later may still change the body of the first request', async () => {
    calls = await startRecordedCalls(xPay());
    const client = axios.create({ baseURL: calls.url, proxy: false });
    client.interceptors.request.use((config) => {
      if (typeof config.data === 'object') Object.assign(config.data as object, { nonce: calls.recorded.length });
      return config;
    });
    attachXPayBearer(client, calls.tokens);
    calls.beforeAnswer = (count) => (count === 1 ? 401 : 200);
    await client.post('/', { amount: 5 });
    expect(calls.recorded.map((request) => request.body)).toEqual(Array(2).fill('{"amount":5,"nonce":0}'));
  });

  it.each<[string, () => object]>([
    ['an array of a class with toJSON', () => Page.of(1, 2)],
    ['an object whose toJSON reads members that are not enumerable', amountOf],
    ['an object with an inherited toJSON', () => Object.assign(Object.create({ toJSON: () => 'inherited' }), { a: 1 })],
  ])('E1 · sends the same bytes as axios alone: %s', async (_, make) => {
    calls = await startRecordedCalls(xPay());
    const client = axios.create({ baseURL: calls.url, proxy: false });
    await client.post('/', make());
    await client.post('/', { nested: [make()] });
    attachXPayBearer(client, calls.tokens);
    await client.post('/', make());
    await client.post('/', { nested: [make()] });
    const [plain, plainNested, ours, oursNested] = calls.recorded.map((request) => request.body);
    expect([ours, oursNested]).toEqual([plain, plainNested]);
  });

  it.each<[string, () => unknown, string]>([
    ['Float32Array', () => new Float32Array([1.5, 2]), '[1.5,2]'],
    ['DataView', () => new DataView(bytes('--5--').buffer, 2, 1), '53'],
    ['ArrayBuffer', () => bytes('5').buffer, '53'],
  ])('E1 · passes to a transformRequest of the app the type that it expects: %s', async (type, make, text) => {
    calls = await startRecordedCalls(xPay());
    const types: string[] = [];
    const client = axios.create({
      baseURL: calls.url,
      proxy: false,
      transformRequest: (body: unknown) => {
        types.push(Object.prototype.toString.call(body).slice(8, -1));
        if (body instanceof Float32Array) return JSON.stringify(Array.from(body));
        return String(body instanceof DataView ? body.getUint8(0) : new DataView(body as ArrayBuffer).getUint8(0));
      },
    });
    attachXPayBearer(client, calls.tokens);
    await client.post('/', make());
    expect([types, calls.recorded.map((request) => request.body)]).toEqual([[type], [text]]);
  });

  it('E2 · the query is sent as it was, first and again after a 401, whatever changes meanwhile', async () => {
    calls = await startRecordedCalls(xPay());
    const client = axios.create({ baseURL: calls.url, proxy: false });
    attachXPayBearer(client, calls.tokens);
    const params = new URLSearchParams('amount=5');
    calls.beforeGrant = () => params.set('amount', '9');
    calls.beforeAnswer = (count) => {
      params.set('amount', String(count * 100));
      return count === 1 ? 401 : 200;
    };
    await client.get('/', { params });
    expect(calls.recorded.map((request) => request.path)).toEqual(['/?amount=5', '/?amount=5']);
  });

  it('E1 · a circular object is rejected as axios alone does', async () => {
    calls = await startRecordedCalls(xPay());
    const circular: Record<string, unknown> = { amount: 5 };
    circular['self'] = { of: [circular] };
    const messageOf = (client: ReturnType<typeof axios.create>): Promise<string> =>
      client.post('/', circular).then(
        () => 'sent',
        (thrown: unknown) => String(thrown),
      );
    const client = axios.create({ baseURL: calls.url, proxy: false });
    const expected = await messageOf(client);
    attachXPayBearer(client, calls.tokens);
    expect(await messageOf(client)).toBe(expected);
    expect(expected).toMatch(/circular/i);
    expect(calls.recorded).toEqual([]);
  });
});
