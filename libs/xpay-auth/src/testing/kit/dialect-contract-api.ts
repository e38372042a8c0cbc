import assert from 'node:assert/strict';
import { AccessToken } from '../../core/credentials.js';
import { attempt } from './dialect-contract-spill.js';
import type { Play } from './dialect-contract-stage.js';

const TOKEN = new AccessToken('a-token.to-look.for');

/** The names of the headers that have the token. */
function carriersOf(headers: Readonly<Record<string, unknown>> = {}): string[] {
  return Object.keys(headers).filter((name) => String(headers[name]).includes(TOKEN.value));
}

/** The requirements on calls of the upstream's API. */
export const apiCases: Readonly<Record<string, Play>> = {
  'sends the token of an API call in a header, and nowhere else': async (rig) => {
    const { path, headers = {}, body = '' } = rig.encode(TOKEN);
    assert.ok(carriersOf(headers).length > 0, 'no header has the token');
    assert.ok(!`${path} ${body}`.includes(TOKEN.value), 'the token is in the path or the body');
  },

  'replaces a header of the caller that would carry the token': async (rig) => {
    const expected = carriersOf(rig.encode(TOKEN).headers).map((name) => name.toLowerCase());
    for (const spell of [(name: string) => name, (name: string) => name.toUpperCase()]) {
      const headers = Object.fromEntries(expected.map((name) => [spell(name), 'Bearer of-somebody-else']));
      const upstream = rig.answering({ body: {} });
      await upstream.send(rig.encode(TOKEN, { headers }));
      assert.deepEqual(carriersOf(rig.requests.at(-1)?.headers), expected);
    }
  },

  'sends every value in a body, or throws configuration': async (rig) => {
    rig.keepSecret(PROBE);
    for (const [type, make, text = PROBE] of HARD_BODIES) {
      for (const body of [make(), { member: make() }]) {
        const encode = (): string | undefined => rig.encode(TOKEN, { method: 'POST', body }).body;
        if (attempt(encode).includes(text)) continue;
        const failure = await rig.failureOf(encode, `a body with a value of type ${type}`);
        assert.equal(failure.code, 'configuration');
      }
    }
  },

  'encodes the same body for every token': async (rig) => {
    const body = rig.stage.call.body ?? rig.stage.failingCall.body ?? { field: 'a text' };
    const call = { method: 'POST', body } as const;
    assert.equal(rig.encode(TOKEN, call).body, rig.encode(new AccessToken('another-token'), call).body);
  },

  'stays below its base URL': async (rig) => {
    assert.match(rig.encode(TOKEN).path, /^\/(?!\/)/);
  },

  'returns the data of an API call': async (rig) => {
    assert.equal((await rig.callApi(rig.live)).kind, 'data');
  },

  'detects a rejected token': async (rig) => {
    const outcome = await rig.callApi(rig.live, rig.stage.call, () => rig.stage.revokeTokens());
    assert.equal(outcome.kind, 'token rejected');
  },

  'distinguishes other errors of the API from a rejected token': async (rig) => {
    const failure = await rig.failureOf(() => rig.callApi(rig.live, rig.stage.failingCall), 'the failing call');
    assert.equal(failure.code, 'upstream_business_error');
  },

  'with paging: reads a list to its end, page by page': async (rig) => {
    const { paging } = rig.dialect.api;
    if (paging === undefined) return;
    const { list } = rig.stage;
    assert.ok(list !== undefined, 'the stage of a dialect with `api.paging` must have a `list`');
    let [pages, items, body] = [0, 0, paging.first(list.body)];
    while (body !== undefined) {
      assert.ok(pages < MOST_PAGES, `the list has not ended after ${MOST_PAGES} pages`);
      const outcome = await rig.callApi(rig.live, { ...list, body });
      assert.ok(outcome.kind === 'data', `page ${pages + 1}: the token was rejected`);
      const page = paging.read({ data: outcome.data, meta: outcome.meta ?? {} }, body);
      pages += 1;
      items += page.items.length;
      body = page.next;
    }
    assert.ok(pages > 1 && items > 1, `expected more than one page and item, got ${pages} and ${items}`);
  },

  'with paging: copies the body of the caller': async (rig) => {
    const { paging } = rig.dialect.api;
    if (paging === undefined) return;
    const body = { filter: { field: 'before' } };
    const first = paging.first(body);
    const before = JSON.stringify(first);
    body.filter.field = 'after';
    assert.equal(JSON.stringify(first), before);
  },

  'with paging: throws upstream_malformed for an answer without a list': async (rig) => {
    const { paging } = rig.dialect.api;
    if (paging === undefined) return;
    const read = (): unknown => paging.read({ data: 'not a list', meta: {} }, paging.first(rig.stage.list?.body));
    const failure = await rig.failureOf(read, 'a page without a list');
    assert.equal(failure.code, 'upstream_malformed');
  },
};

/** Maximum number of pages of the list of a stage. */
const MOST_PAGES = 100;

/** The text in every body of {@link HARD_BODIES}. */
const PROBE = '27182818';

/** Values that `JSON.stringify` empties, drops or rejects, and the text of an encoded body that has them. */
const HARD_BODIES: readonly (readonly [type: string, make: () => unknown, text?: string])[] = [
  ['Map', () => new Map([['field', PROBE]])],
  ['Set', () => new Set([PROBE])],
  ['FormData', () => formOf(PROBE)],
  ['URLSearchParams', () => new URLSearchParams({ field: PROBE })],
  ['Blob', () => new Blob([PROBE])],
  ['Buffer', () => Buffer.from(PROBE)],
  ['Uint8Array', () => new TextEncoder().encode(PROBE)],
  ['Error', () => new Error(PROBE)],
  ['bigint', () => BigInt(PROBE)],
  ['function', () => () => PROBE, 'PROBE'],
  ['symbol', () => Symbol(PROBE)],
  ['number', () => NaN, 'NaN'],
  ['an object that holds itself', () => loopOf(PROBE)],
];

function formOf(value: string): FormData {
  const form = new FormData();
  form.append('field', value);
  return form;
}

function loopOf(value: string): object {
  const loop: Record<string, unknown> = { field: value };
  return Object.assign(loop, { loop });
}
