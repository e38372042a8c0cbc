import assert from 'node:assert/strict';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { Upstream } from '../../core/ports.js';
import { Secret } from '../../core/credentials.js';
import type { WireRequest } from '../emulators/wire-message.js';
import { type CannedAnswer, MOST_BYTES, type Play, type Rig, upstreamAt } from './dialect-contract-stage.js';

/** A way of calling the upstream: a login, an API call or a refresh. */
type Act = [name: string, play: (upstream: Upstream) => Promise<unknown>];

type Trouble = readonly [what: string, answer: CannedAnswer, code: XPayAuthErrorCode, retryAfterMs?: number];

const HTML = '<html><body><h1>Bad Gateway</h1></body></html>';
const LATER = { 'retry-after': '7' };

const TROUBLES: readonly Trouble[] = [
  ['a 500', { status: 500 }, 'upstream_unavailable'],
  ["a 502 with a proxy's page", { status: 502, body: HTML }, 'upstream_unavailable'],
  ['a 503 with Retry-After', { status: 503, headers: LATER }, 'upstream_unavailable', 7_000],
  ['a 429 with Retry-After', { status: 429, headers: LATER }, 'upstream_rate_limited', 7_000],
  ['an answer that is too long', { body: { filler: 'x'.repeat(MOST_BYTES) } }, 'upstream_malformed'],
];

/** Malformed answers to a login and to a refresh. The data of an API call may be anything. */
const MALFORMED_GRANTS: readonly Trouble[] = [
  ['a 200 without a body', {}, 'upstream_malformed'],
  ['a 200 that is no JSON', { body: '{"a": <!--' }, 'upstream_malformed'],
  ['a 200 with a page', { body: HTML }, 'upstream_malformed'],
  ['a 200 with {}', { body: {} }, 'upstream_malformed'],
  ['a 200 with a list', { body: [] }, 'upstream_malformed'],
  ['a 200 with null', { body: null }, 'upstream_malformed'],
];

/** Checks that every upstream failure becomes an `XPayAuthError` that blames the upstream and contains no secret. */
export const troubleCases: Readonly<Record<string, Play>> = {
  ...Object.fromEntries(
    [...TROUBLES, ...MALFORMED_GRANTS].map((trouble): [string, Play] => [
      `throws ${trouble[2]} for ${trouble[0]}, after one request and without a secret`,
      (rig) => eachAct(rig, trouble),
    ]),
  ),

  'follows no redirect': async (rig) => {
    for (const status of [301, 302, 303, 307, 308]) {
      const headers = { location: `${rig.server.url}/elsewhere` };
      await eachAct(rig, [`a ${status}`, { status, headers }, 'upstream_malformed']);
    }
    const followed = rig.requests.filter(({ path }) => path.startsWith('/elsewhere'));
    assert.deepEqual(followed, []);
  },

  'throws upstream_unavailable if the upstream cannot be reached': async (rig) => {
    const gone = upstreamAt(rig.server.url);
    await rig.server.close();
    for (const [act, play] of acts(rig)) {
      assert.equal((await rig.failureOf(() => play(gone), act)).code, 'upstream_unavailable', act);
    }
  },

  'does not treat the error page of a proxy as a rejection': async (rig) => {
    for (const status of [400, 403, 404, 407]) {
      const upstream = rig.answering({ status, body: HTML });
      const failure = await rig.failureOf(() => rig.dialect.authenticate(rig.good, upstream, 'login'), `a ${status}`);
      assert.notEqual(failure.trouble, 'caller', `a ${status} with a page ended in ${failure.code}`);
    }
  },

  'hides a secret that the upstream repeats': async (rig) => {
    for (const [what, answer] of echoes()) {
      const upstream = rig.answering(answer);
      for (const [act, play] of acts(rig)) {
        const where = `${act}, ${what}`;
        if (act !== 'an API call') await rig.failureOf(() => play(upstream), where);
        // The data of an API call may contain a secret that the upstream repeats, but an error must not.
        else await play(upstream).catch((thrown: unknown) => rig.assertNothingSpilled(thrown, where));
      }
    }
  },
};

/** Simulates the same failure for every way of calling the upstream to which it applies. */
async function eachAct(rig: Rig, trouble: Trouble): Promise<void> {
  const [what, answer, code, retryAfterMs] = trouble;
  for (const [act, play] of acts(rig)) {
    if (act === 'an API call' && MALFORMED_GRANTS.includes(trouble)) continue;
    const upstream = rig.answering(answer);
    const before = rig.requests.length;
    const failure = await rig.failureOf(() => play(upstream), `${act}, ${what}`);
    assert.equal(failure.code, code, `${act}, ${what}`);
    assert.equal(failure.retryAfterMs, retryAfterMs, `${act}, ${what}: retryAfterMs`);
    assert.equal(rig.requests.length - before, 1, `${act}, ${what}: requests`);
  }
}

function acts(rig: Rig): Act[] {
  const { dialect, good } = rig;
  const refresh = async (upstream: Upstream): Promise<unknown> => {
    const { refreshToken } = await rig.grant();
    return dialect.refresh?.(refreshToken ?? new Secret('none'), upstream);
  };
  return [
    ['a login', (upstream) => dialect.authenticate(good, upstream, 'verification')],
    ['an API call', (upstream) => rig.callApi(upstream)],
    ...(dialect.refresh === undefined ? [] : [['a refresh', refresh] satisfies Act]),
  ];
}

/** Answers that repeat the request, in every field that a dialect may read a message from. */
function* echoes(): Generator<[string, (request: WireRequest) => CannedAnswer]> {
  const shapes: Readonly<Record<string, (said: string) => object | string>> = {
    'as text': (said) => said,
    'in detail': (said) => ({ detail: said }),
    'in a list of faults': (said) => ({ detail: [{ type: 'missing', loc: ['body'], msg: said, input: said }] }),
    'in message': (said) => ({ message: said }),
    'in error': (said) => ({ error: said, error_description: said }),
    'in error.message': (said) => ({ error: { message: said, data: said, tag: said }, uuid: said }),
    'in title': (said) => ({ type: said, title: said, detail: said, instance: said, code: said }),
  };
  for (const status of [400, 401, 403, 404, 409, 422, 500]) {
    for (const [where, shape] of Object.entries(shapes)) {
      yield [`repeated ${where} of a ${status}`, (request) => ({ status, body: shape(whatWasSaid(request)) })];
    }
  }
}

function whatWasSaid({ headers, body }: WireRequest): string {
  return `${headers.authorization ?? ''} ${body.toString('utf8')}`.trim();
}
