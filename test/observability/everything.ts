import type { MetricData } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import {
  XPayAuthError,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  type Dialect,
  xPay,
} from 'nestjs-xpay-auth';
import { XPayStrategy, XPayTokenService, getXPayInjectionToken } from 'nestjs-xpay-auth';
import { MemoryStore, startGiftStreamEmulator } from 'nestjs-xpay-auth/testing';
import { ada, asAda, asRoot, wrong } from '../support/inbound-app.js';
import { basic, bearer } from '../support/start-app.js';
import { until } from '../support/until.js';
import { APP, HOUR_MS, type Observed, startObserved } from './observed-app.js';

/** Everything that was exported, and everything that must not be in it. */
export interface Everything {
  readonly metrics: readonly MetricData[];
  readonly spans: readonly ReadableSpan[];
  readonly secrets: readonly string[];
}

const CARD = '6035-of-somebody';
const EVE = { username: 'eve@example.test', secretKey: 'key of eve & co' };
/** Looks like a code of the vendor. */
const MAL = { username: 'mallory', secretKey: 'plain-word-1' };

/** A bad dialect: the account is in the path. */
const careless: Dialect = {
  ...xPay(),
  name: 'careless',
  async authenticate({ username, secretKey }, upstream) {
    const path = `/users/${encodeURIComponent(username)}/${encodeURIComponent(secretKey)}?key=${secretKey.slice(0, 3)}`;
    await upstream.send({ method: 'POST', path });
    throw new XPayAuthError('invalid_credentials', 'never');
  },
};

/** Two instances on one store, and one of another upstream, in every situation that causes a measurement or a span. */
export async function everything(): Promise<Everything> {
  const store = new MemoryStore();
  await using gift = await startGiftStreamEmulator({ accounts: [APP] });
  const imports = [
    XPayAuthModule.forRoot({ name: 'gift', dialect: 'gift-stream', baseUrl: gift.url, credentials: APP }),
    XPayAuthModule.forRoot({ name: 'careless', dialect: careless, baseUrl: gift.url }),
  ];
  const attempts = { perUserAndAddress: { attempts: 3, windowMs: 60_000 } };
  const verification = { share: true, periodMs: 10_000, staleIfErrorMs: 60_000 };
  const options = { credentials: APP, store, attempts, verification };
  await using one = await startObserved('express', { options, imports });
  await using two = await startObserved('fastify', { options: { ...options, baseUrl: one.xpay.url } });

  const tokens = [await requests(one, two), ...(await calls(one)), await outage(one, two, store)];
  const data = await Promise.all([one, two].map(({ metrics }) => metrics.all()));
  return {
    metrics: data.flatMap((metrics) => [...metrics.values()]),
    spans: [...one.spans.all, ...two.spans.all],
    secrets: [
      ...[APP, ada, EVE, MAL].flatMap(({ username, secretKey }) => [username, secretKey]),
      ...[EVE.username, EVE.secretKey].map(encodeURIComponent),
      ...[APP, ada, EVE, MAL].map((account) => basic(account.username, account.secretKey).authorization.slice(6)),
      'root@example.test',
      'root-secret-key',
      'guess-',
      'nobody-knows-me',
      CARD,
      ...tokens,
    ],
  };
}

/** Returns the bearer of a session. */
async function requests(one: Observed, two: Observed): Promise<string> {
  const sessions = one.app.get(XPaySessionService);
  await Promise.all([one.status('/me', asAda), one.status('/me', asAda)]);
  await until(async () => (await two.status('/me', asAda)) === 200, 'shared');
  await one.status('/admin', asAda);
  await one.status('/me');
  await one.status('/me', bearer('nobody-knows-me'));
  for (let guess = 0; guess < 5; guess++) await one.status('/me', wrong(guess));
  const { accessToken } = await sessions.login(ada);
  await sessions.login({ ...ada, secretKey: 'guess-at-a-login' }).catch(() => undefined);
  for (const app of [one, two]) await app.status('/me', bearer(accessToken));
  const careless = one.app.get<XPayStrategy>(getXPayInjectionToken(XPayStrategy, 'careless'));
  for (const { username, secretKey } of [EVE, MAL]) {
    await Promise.resolve(careless.validate(requestOf(basic(username, secretKey)))).catch(() => undefined);
  }
  return accessToken;
}

/** Returns the tokens of the app itself. */
async function calls(one: Observed): Promise<string[]> {
  const giftTokens = one.app.get<XPayTokenService>(getXPayInjectionToken(XPayTokenService, 'gift'));
  const giftCalls = one.app.get<XPayHttpService>(getXPayInjectionToken(XPayHttpService, 'gift'));
  const [own, other] = [await one.tokens.getToken(), await giftTokens.getToken()];
  const renewed = await giftTokens.refresh();
  await giftCalls.request({ method: 'GET', path: `/giftcard/${CARD}` }).catch(() => undefined);
  await one.http.post('/client/wallets/find');
  await one.http.post(`/client/wallets/${ada.username}`).catch(() => undefined);
  one.xpay.faults.next({ kind: 'status', status: 401 }, { path: '/client/wallets/find' });
  await one.http.post('/client/wallets/find');
  await one.clock.advance(0.8 * HOUR_MS);
  await one.tokens.getToken();
  await until(async () => (await one.metrics.value('xpay_auth.token.renewal.lead_time')) > 0, 'renewed');
  return [own, other, renewed, await one.tokens.getToken()].map(({ value }) => value);
}

/** Returns a bearer that could not be verified. */
async function outage(one: Observed, two: Observed, store: MemoryStore): Promise<string> {
  await one.status('/me', asAda);
  store.goAway('an error message for the log only');
  one.xpay.faults.always({ kind: 'unavailable' });
  await one.clock.advance(15_000);
  await one.status('/me', asAda);
  await one.status('/me', asRoot);
  await one.clock.advance(2 * HOUR_MS);
  await one.tokens.getToken().catch(() => undefined);
  await two.status('/me', bearer('bearer-in-an-outage'));
  await two.app
    .get(XPaySessionService)
    .login(ada)
    .catch(() => undefined);
  return 'bearer-in-an-outage';
}

function requestOf(headers: { authorization: string }): Parameters<XPayStrategy['validate']>[0] {
  return {
    headers,
    rawHeaders: ['Authorization', headers.authorization],
    ip: '192.0.2.1',
    socket: { remoteAddress: '192.0.2.1' },
  };
}
