import { describe, expect, it } from '@jest/globals';
import { XPayAuthError, type XPayAuthErrorCode } from 'nestjs-xpay-auth';
import {
  CatchAllFilter,
  CatchAllFilterWithHeaders,
  type FilteredApp,
  HttpExceptionFilter,
  HttpExceptionFilterWithHeaders,
  registrations,
  startFilteredApp,
} from '../support/filtered-app.js';
import { ada, asAda } from '../support/inbound-app.js';
import { type Platform, platforms } from '../support/start-app.js';

const filters = { '@Catch()': CatchAllFilter, '@Catch(HttpException)': HttpExceptionFilter };
const filtersWithHeaders = {
  '@Catch()': CatchAllFilterWithHeaders,
  '@Catch(HttpException)': HttpExceptionFilterWithHeaders,
};
const byEveryRegistration = (kinds: typeof filters | typeof filtersWithHeaders) =>
  Object.entries(kinds).flatMap(([kind, filter]) =>
    Object.entries(registrations).map(([way, registration]) => ({ kind, filter, way, registration })),
  );

const both = (realm: string) => `Basic realm="${realm}", charset="UTF-8", Bearer realm="${realm}"`;

/** Every failure that leaves a route: the response the caller must receive, and how the failure is caused. */
const failures: readonly [number, XPayAuthErrorCode, (app: FilteredApp) => Promise<Response>][] = [
  [401, 'invalid_credentials', (app) => app.post('/login', { ...ada, secretKey: 'wrong' })],
  [400, 'invalid_request', (app) => app.post('/login', { username: 7 })],
  [401, 'missing_credentials', (app) => app.fetch('/admin')],
  [403, 'insufficient_scope', (app) => app.fetch('/admin', { headers: asAda })],
  [504, 'upstream_timeout', timedOut],
  [502, 'upstream_business_error', refusedCall],
  [503, 'upstream_unavailable', unavailable],
  [503, 'store_unavailable', logoutWithoutStore],
];

async function timedOut(app: FilteredApp): Promise<Response> {
  app.xpay.faults.next({ kind: 'hang' });
  const asked = app.xpay.requests('/client/authenticate');
  const answer = app.fetch('/token');
  await app.xpay.waitForRequests(asked + 1);
  await app.clock.advance(10_000);
  return answer;
}

async function refusedCall(app: FilteredApp): Promise<Response> {
  await app.clock.advance(60_000);
  const body = { error: { message: 'no such wallet' } };
  app.xpay.faults.next({ kind: 'status', status: 200, body }, { path: '/client/wallets/*' });
  return app.post('/wallets', {});
}

async function unavailable(app: FilteredApp): Promise<Response> {
  app.xpay.faults.next({ kind: 'unavailable' });
  return app.post('/login', { ...ada, secretKey: 'another' });
}

async function logoutWithoutStore(app: FilteredApp): Promise<Response> {
  const { accessToken } = (await (await app.post('/login', ada)).json()) as { accessToken: string };
  app.store.goAway();
  const answer = await app.post('/logout', { token: accessToken });
  app.store.comeBack();
  return answer;
}

const challengeOf = (answer: Response) => answer.headers.get('www-authenticate');

describe.each(platforms)("an app's own exception filter on %s", (platform: Platform) => {
  it.each(byEveryRegistration(filters))(
    'D11 · $kind by $way answers every failure with its status and errorCode, and without the text for the operator',
    async ({ filter, registration }) => {
      await using app = await startFilteredApp(platform, registration, filter);
      const wrong: unknown[] = [];
      for (const [status, errorCode, provoke] of failures) {
        const answer = await provoke(app);
        const body = (await answer.json()) as object;
        const { publicMessage } = new XPayAuthError(errorCode, 'for the operator');
        const expected = { statusCode: status, errorCode, message: publicMessage };
        const matches =
          answer.status === status &&
          Object.entries(expected).every(([key, value]) => Reflect.get(body, key) === value);
        if (!matches) wrong.push({ expected, status: answer.status, body });
      }
      expect(wrong).toEqual([]);
    },
  );

  it.each(byEveryRegistration(filtersWithHeaders))(
    'D11 · $kind by $way sends challenge, Retry-After and no-store with failureHeaders()',
    async ({ filter, registration }) => {
      await using app = await startFilteredApp(platform, registration, filter);
      const sent: unknown[] = [];
      for (const [, errorCode, provoke] of failures) {
        const { headers } = await provoke(app);
        const told = ['cache-control', 'www-authenticate', 'retry-after'].map((name) => headers.get(name));
        sent.push([errorCode, ...told]);
      }
      expect(sent).toEqual([
        ['invalid_credentials', 'no-store', both('xpay'), null],
        ['invalid_request', 'no-store', null, null],
        ['missing_credentials', 'no-store', both('xpay'), null],
        ['insufficient_scope', 'no-store', 'Bearer error="insufficient_scope", scope="tme_admin"', null],
        ['upstream_timeout', 'no-store', null, null],
        ['upstream_business_error', 'no-store', null, null],
        ['upstream_unavailable', 'no-store', null, '1'],
        ['store_unavailable', 'no-store', null, '1'],
      ]);
    },
  );

  it('D11 · failureHeaders() makes the challenge for this request, of the app that answers, by the instance that decided', async () => {
    await using one = await startFilteredApp(platform, 'global', CatchAllFilterWithHeaders, 'one');
    await using two = await startFilteredApp(platform, 'global', CatchAllFilterWithHeaders, 'two');
    const guess = { ...ada, secretKey: 'wrong' };
    expect(challengeOf(await one.post('/login', guess))).toBe(both('one'));
    expect(challengeOf(await two.post('/login', guess))).toBe(both('two'));
    expect(challengeOf(await one.fetch('/other'))).toBe(both('other'));
    expect(challengeOf(await one.post('/login', guess, { 'sec-fetch-dest': 'empty' }))).toBe('Bearer realm="one"');
  });

  it('D11 · failureHeaders() has no headers for an exception of the app', async () => {
    await using app = await startFilteredApp(platform, 'global', CatchAllFilterWithHeaders);
    const { status, headers } = await app.fetch('/missing');
    expect([status, headers.get('cache-control'), headers.get('www-authenticate')]).toEqual([404, null, null]);
  });
});
