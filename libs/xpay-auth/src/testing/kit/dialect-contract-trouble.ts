import assert from 'node:assert/strict';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { Upstream } from '../../core/ports.js';
import { Secret } from '../../core/secret.js';
import type { CannedAnswer, CannedRequest } from './dialect-contract-server.js';
import { CALL_UUID, MOST_BYTES, type Play, type Rig, upstreamAt } from './dialect-contract-stage.js';

interface Trouble {
  readonly what: string;
  readonly answer: CannedAnswer;
  readonly code: XPayAuthErrorCode;
  readonly retryAfterMs?: number;
  /** Says nothing about an API call, whose data may be anything. */
  readonly loginOnly?: true;
}

const HTML = '<html><body><h1>Bad Gateway</h1></body></html>';
const LATER = { 'retry-after': '7' };

const TROUBLES: readonly Trouble[] = [
  { what: 'a 500', answer: { status: 500 }, code: 'upstream_unavailable' },
  { what: "a 502 with a proxy's page", answer: { status: 502, body: HTML }, code: 'upstream_unavailable' },
  {
    what: 'a 503 with Retry-After',
    answer: { status: 503, headers: LATER },
    code: 'upstream_unavailable',
    retryAfterMs: 7_000,
  },
  {
    what: 'a 429 with Retry-After',
    answer: { status: 429, headers: LATER },
    code: 'upstream_rate_limited',
    retryAfterMs: 7_000,
  },
  { what: 'a 200 without a body', answer: {}, code: 'upstream_malformed', loginOnly: true },
  { what: 'a 200 that is no JSON', answer: { body: '{"a": <!--' }, code: 'upstream_malformed', loginOnly: true },
  { what: 'a 200 with a page', answer: { body: HTML }, code: 'upstream_malformed', loginOnly: true },
  { what: 'a 200 with {}', answer: { body: {} }, code: 'upstream_malformed', loginOnly: true },
  { what: 'a 200 with a list', answer: { body: [] }, code: 'upstream_malformed', loginOnly: true },
  { what: 'a 200 with null', answer: { body: null }, code: 'upstream_malformed', loginOnly: true },
  {
    what: 'an answer that is too long',
    answer: { body: { filler: 'x'.repeat(MOST_BYTES) } },
    code: 'upstream_malformed',
  },
];

/** What must come of an upstream in trouble: our own error, the upstream's fault, and no secret in it. */
export const troubleCases: Readonly<Record<string, Play>> = {
  ...Object.fromEntries(
    TROUBLES.map((trouble): [string, Play] => [
      `calls ${trouble.what} ${trouble.code}, asks once, and blames nobody`,
      (rig) => eachAct(rig, trouble),
    ]),
  ),

  'follows no redirect': async (rig) => {
    for (const status of [301, 302, 303, 307, 308]) {
      const headers = { location: `${rig.server.url}/elsewhere` };
      await eachAct(rig, { what: `a ${status}`, answer: { status, headers }, code: 'upstream_malformed' });
    }
    assert.deepEqual(
      rig.server.requests.filter(({ path }) => path.startsWith('/elsewhere')),
      [],
    );
  },

  'hands on that the upstream cannot be reached': async (rig) => {
    const gone = upstreamAt(rig.server.url);
    await rig.server.stop();
    for (const [act, play] of acts(rig)) {
      assert.equal((await rig.failureOf(() => play(gone), act)).code, 'upstream_unavailable', act);
    }
  },

  'takes no page of a proxy for a refusal': async (rig) => {
    for (const status of [400, 403, 404, 407]) {
      const upstream = rig.answering({ status, body: HTML });
      const failure = await rig.failureOf(() => rig.dialect.authenticate(rig.good, upstream, 'login'), `a ${status}`);
      assert.notEqual(failure.trouble, 'caller', `a ${status} with a page ended in ${failure.code}`);
    }
  },

  'lets no secret through that the upstream repeats': async (rig) => {
    const { accessToken } = await rig.grant();
    for (const [what, answer] of echoes()) {
      const upstream = rig.answering(answer);
      await rig.failureOf(() => rig.dialect.authenticate(rig.good, upstream, 'verification'), `a login, ${what}`);
      if (rig.dialect.refresh !== undefined) {
        const refreshToken = new Secret('a-refresh-token-of-nobody');
        rig.keepSecret(refreshToken.reveal());
        await rig.failureOf(() => rig.dialect.refresh?.(refreshToken, upstream), `a refresh, ${what}`);
      }
      const call = { ...rig.stage.call, uuid: CALL_UUID };
      const reply = await upstream.send(rig.dialect.api.encode(call, accessToken));
      try {
        rig.dialect.api.decode(reply, call, accessToken);
      } catch (thrown) {
        rig.assertNothingSpilled(thrown, `an API call, ${what}`);
      }
    }
  },
};

/** Each way of asking the upstream, with the same trouble. */
async function eachAct(rig: Rig, { what, answer, code, retryAfterMs, loginOnly }: Trouble): Promise<void> {
  for (const [act, play] of acts(rig)) {
    if (loginOnly === true && act === 'an API call') continue;
    const upstream = rig.answering(answer);
    const before = rig.server.requests.length;
    const failure = await rig.failureOf(() => play(upstream), `${act}, ${what}`);
    assert.equal(failure.code, code, `${act}, ${what}`);
    assert.equal(failure.retryAfterMs, retryAfterMs, `${act}, ${what}: retryAfterMs`);
    assert.equal(rig.server.requests.length - before, 1, `${act}, ${what}: requests`);
  }
}

function acts(rig: Rig): [string, (upstream: Upstream) => unknown][] {
  const { dialect, good, stage } = rig;
  const all: [string, (upstream: Upstream) => unknown][] = [
    ['a login', (upstream) => dialect.authenticate(good, upstream, 'verification')],
    [
      'an API call',
      async (upstream) => {
        const { accessToken } = await rig.grant();
        const call = { ...stage.call, uuid: CALL_UUID };
        const answer = await upstream.send(dialect.api.encode(call, accessToken));
        return dialect.api.decode(answer, call, accessToken);
      },
    ],
  ];
  if (dialect.refresh !== undefined) {
    all.push([
      'a refresh',
      async (upstream) => {
        const { refreshToken } = await rig.grant();
        return dialect.refresh?.(refreshToken ?? new Secret('none'), upstream);
      },
    ]);
  }
  return all;
}

/** Upstreams that say what they were sent, in each of the places where words are read. */
function* echoes(): Generator<[string, (request: CannedRequest) => CannedAnswer]> {
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

function whatWasSaid({ headers, body }: CannedRequest): string {
  return `${headers.authorization ?? ''} ${body}`.trim();
}
