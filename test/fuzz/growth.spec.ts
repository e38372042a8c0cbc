import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../support/any-text.js';
import { AccessToken, type UpstreamAnswer, giftStream, passwordLogin, xPay } from 'nestjs-xpay-auth';
import { claimsOf, msFromSeconds, upstreamWords } from 'nestjs-xpay-auth/dialect';
import { parseAuthorization, parseBasic, parseBearer } from '../../libs/xpay-auth/src/nest/request/caller-reader.js';
import { callerText } from '../../libs/xpay-auth/src/core/credentials.js';
import { foldedUsername } from '../../libs/xpay-auth/src/rate-limit/attempts.js';
import { networkOf } from '../../libs/xpay-auth/src/rate-limit/client-address.js';
import { normalizeBaseUrl } from '../../libs/xpay-auth/src/http/base-url.js';
import { retryAfter } from '../../libs/xpay-auth/src/http/failure.js';
import { parseHttpDate } from '../../libs/xpay-auth/src/core/decoders.js';
import { optionsFromEnvironment } from '../../libs/xpay-auth/src/nest/options/environment.js';
import { growthOf, heapGrowth } from './growth.js';
import { oddValue } from './nearly-json.js';
import { outcomeOf } from './outcome.js';

const TOKEN = 'a-token-of-27182818';
const CALL = { method: 'POST', path: '/client/wallets/find', uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' } as const;
const token = new AccessToken(TOKEN);

const answer = (status: number, text: string): UpstreamAnswer => ({
  status,
  text,
  receivedAt: 0,
  upstreamNow: undefined,
  header: () => text,
});
const ask = (dialect: ReturnType<typeof xPay>, status: number) => (text: string) => {
  const asked = dialect
    .authenticate({ username: 'ada', secretKey: TOKEN }, { send: async () => answer(status, text) }, 'own token')
    .catch(() => undefined);
  outcomeOf(() => dialect.api.decode(answer(status, text), CALL, token));
  return asked;
};

/** Every parser of foreign bytes. */
const parsers: Record<string, (text: string) => unknown> = {
  parseAuthorization,
  parseBasic,
  parseBearer,
  claimsOf,
  parseHttpDate,
  networkOf,
  'foldedUsername (before a letter)': (text) => foldedUsername(`${text}a`),
  'retryAfter (of a 503)': (text) => retryAfter(answer(503, text)),
  msFromSeconds: (text) => msFromSeconds(text, 'exp'),
  upstreamWords: (text) => upstreamWords(text, [TOKEN]),
  callerText: (text) => callerText({ username: text, secretKey: text }),
  'normalizeBaseUrl (after a host)': (text) => normalizeBaseUrl(`https://host.example.test/${text}x`),
  'hosts of the environment': (text) => optionsFromEnvironment('', () => text),
  'xpay, a text': ask(xPay(), 200),
  'xpay, a message': (text) => ask(xPay(), 200)(JSON.stringify({ error: { message: text, data: text, tag: text } })),
  'gift-stream, a text': ask(giftStream(), 400),
  'gift-stream, a message': (text) => ask(giftStream(), 400)(JSON.stringify({ message: text, timestamp: text })),
  'gift-stream, a token': (text) => ask(giftStream(), 200)(JSON.stringify({ accessToken: text })),
  'password-login, a text': ask(passwordLogin(), 401),
  'password-login, words': (text) => ask(passwordLogin(), 401)(JSON.stringify({ detail: text, error: text })),
  'password-login, a scope': (text) => ask(passwordLogin(), 200)(JSON.stringify({ access_token: 'a', scope: text })),
};

/** Texts that are slow for a parser that backtracks or rescans. */
const inputs: Record<string, string> = {
  letters: 'a',
  blanks: ' ',
  'ends of lines': '\r\n',
  'control characters': '\u0000',
  slashes: '/',
  colons: ':',
  dots: '.',
  digits: '1',
  'equals signs': '=',
  brackets: '[',
  objects: '{"success":',
  escapes: '\\u0061',
  percents: '%2f',
  addresses: '1.2.3.4,',
  'groups of an address': 'f::',
  'parts of a token': 'eyJhbGci.',
  words: 'invalid credentials ',
  "denials, n't": "n't ",
  'runs that are just too short to be a token': `${'a'.repeat(39)} `,
  surrogates: '\ud800',
};

const LINEAR_AT_MOST = 9;

/** Another process may disturb one measurement, but hardly three in a row. */
function isLinear(piece: string, parse: (text: string) => unknown): boolean {
  const grows = (): boolean =>
    growthOf((length) => piece.repeat(Math.ceil(length / piece.length)), parse) > LINEAR_AT_MOST;
  return !(grows() && grows() && grows());
}

describe('the time for an input', () => {
  it.each(Object.entries(parsers))('grows at most linearly with its length: %s', (_, parse) => {
    const slow = Object.entries(inputs).filter(([, piece]) => !isLinear(piece, parse));
    expect(slow).toEqual([]);
  });
});

describe('the parsers together', () => {
  it('retain nothing of their input', async () => {
    const texts = fc.sample(
      fc.oneof(
        anyText({ maxLength: 500 }),
        oddValue.map((odd) => JSON.stringify(odd) ?? ''),
      ),
      300,
    );
    const work = (at: number): Promise<unknown> =>
      Promise.allSettled(Object.values(parsers).map(async (parse) => parse(`${texts[at % texts.length]}${at}`)));
    expect(await heapGrowth(work, 2_000)).toBeLessThan(500_000);
  });
});

describe('the measurement of growth', () => {
  it('detects work that grows quadratically', () => {
    const growth = growthOf(
      (length) => 'a'.repeat(length),
      (text) => /a+$/.test(`${text}b`),
    );
    expect(growth).toBeGreaterThan(LINEAR_AT_MOST);
  });

  it('detects retained memory', async () => {
    const kept: string[] = [];
    expect(await heapGrowth((at) => kept.push(`${at} of what was read`), 40_000)).toBeGreaterThan(500_000);
  });
});
