import { describe, expect, it } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { Test } from '@nestjs/testing';
import {
  XPayAuthError,
  XPayAuthModule,
  XPaySessionService,
  XPayTokenService,
  getXPayInjectionToken,
} from 'nestjs-xpay-auth';
import { XPayTelemetryModule } from 'nestjs-xpay-auth/opentelemetry';
import { ManualClock, MemoryStore, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { collector } from '../outbound/outbound.js';
import { ada, asAda, asRoot, wrong } from '../support/inbound-app.js';
import { bearer, platforms } from '../support/start-app.js';
import { until } from '../support/until.js';
import { APP, HOUR_MS, Metrics, Spans, startObserved } from './observed-app.js';

@UseGuards(AuthGuard('xpay'))
@Controller('passport')
class PassportController {
  @Get()
  read() {
    return 'ok';
  }
}

/** A store that reads a session only after the function of {@link hold} was called. */
class GatedStore extends MemoryStore {
  #reading = Promise.resolve();

  hold(): () => void {
    const held = { release: (): void => undefined };
    this.#reading = new Promise((resolve) => (held.release = resolve));
    return () => held.release();
  }

  override async read(...args: Parameters<MemoryStore['read']>): ReturnType<MemoryStore['read']> {
    if (args[0].kind === 'session') await this.#reading;
    return super.read(...args);
  }
}

const outcome = (value: string): Record<string, string> => ({ 'xpay_auth.outcome': value });
const cache = (what: string, level: string): Record<string, string> => ({
  'xpay_auth.cache': what,
  'xpay_auth.cache.level': level,
});
const failing = async (promise: Promise<unknown>, code?: string): Promise<void> => {
  const thrown = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(thrown).toBeInstanceOf(XPayAuthError);
  if (code !== undefined) expect((thrown as XPayAuthError).code).toBe(code);
};

describe.each(platforms)('requests on %s', (platform) => {
  it('are counted once each, by outcome', async () => {
    await using app = await startObserved(platform);
    const { metrics } = app;
    const counted = async (): Promise<Record<string, number>> => {
      const points = (await metrics.all()).get('xpay_auth.requests')?.dataPoints ?? [];
      const pairs = points.map(({ attributes, value }) => [String(attributes['xpay_auth.outcome']), Number(value)]);
      return Object.fromEntries(pairs.filter(([, value]) => value !== 0)) as Record<string, number>;
    };
    expect(await counted()).toEqual({});
    for (let i = 0; i < 4; i++) expect(await app.status('/me', asAda)).toBe(200);
    expect(await counted()).toEqual({ admitted: 4 });
    expect(await app.status('/me')).toBe(401);
    expect(await app.status('/me', wrong())).toBe(401);
    expect(await app.status('/me', wrong())).toBe(401);
    expect(await app.status('/me', bearer('nobody-knows-me'))).toBe(401);
    expect(await app.status('/me', { authorization: 'Basic ???' })).toBe(400);
    expect(await app.status('/optional')).toBe(200);
    const { accessToken } = await app.app.get(XPaySessionService).login(ada);
    for (let i = 0; i < 3; i++) expect(await app.status('/me', bearer(accessToken))).toBe(200);
    app.xpay.faults.always({ kind: 'unavailable' });
    expect(await app.status('/me', asRoot)).toBe(503);
    expect(await counted()).toEqual({
      admitted: 7,
      missing_credentials: 1,
      invalid_credentials: 2,
      invalid_token: 1,
      invalid_request: 1,
      upstream_unavailable: 1,
    });
    expect(await metrics.value('xpay_auth.cache.hits', cache('credentials', 'memory'))).toBe(3);
    expect(await metrics.value('xpay_auth.cache.hits', cache('session', 'memory'))).toBe(3);
    expect(await metrics.value('xpay_auth.logins', outcome('ok'))).toBe(1);
  });

  it('are counted once each through Passport too, also without credentials', async () => {
    await using app = await startObserved(platform, { controllers: [PassportController] });
    expect(await app.status('/passport', asAda)).toBe(200);
    for (let i = 0; i < 2; i++) expect(await app.status('/passport')).toBe(401);
    expect(await app.metrics.value('xpay_auth.requests', outcome('admitted'))).toBe(1);
    expect(await app.metrics.value('xpay_auth.requests', outcome('missing_credentials'))).toBe(2);
  });

  it('of known callers without the scope are counted separately', async () => {
    await using app = await startObserved(platform);
    for (let i = 0; i < 2; i++) expect(await app.status('/admin', asAda)).toBe(403);
    expect(await app.metrics.value('xpay_auth.denials')).toBe(2);
    expect(await app.metrics.value('xpay_auth.requests', outcome('admitted'))).toBe(2);
  });

  it('I1 · of cached callers cause no span and no measurement', async () => {
    await using app = await startObserved(platform);
    await app.status('/user', asAda);
    app.spans.reset();
    const before = await app.metrics.value('xpay_auth.verification.duration');
    for (let i = 0; i < 50; i++) await app.status('/user', asAda);
    expect(app.spans.names().filter((name) => !name.startsWith('GET /'))).toEqual([]);
    expect(await app.metrics.value('xpay_auth.verification.duration')).toBe(before);
    expect(await app.metrics.value('xpay_auth.cache.hits', cache('credentials', 'memory'))).toBe(50);
  });

  it('I2 · that are concurrent share a check, and the others are counted as having joined', async () => {
    await using app = await startObserved(platform);
    app.xpay.faults.next({ kind: 'delay', ms: 250 });
    const crowd = Promise.all(Array.from({ length: 10 }, () => app.status('/me', asAda)));
    const joined = { 'xpay_auth.flight': 'verification' };
    await until(async () => (await app.metrics.value('xpay_auth.flights.joined', joined)) === 9, 'nine have joined');
    await app.clock.advance(250);
    expect(await crowd).toEqual(Array.from({ length: 10 }, () => 200));
    const waited = await app.metrics.histogram('xpay_auth.verification.duration', outcome('ok'));
    expect(waited).toMatchObject({ count: 10, sum: 2.5 });
    const upstream = await app.metrics.histogram('xpay_auth.upstream.duration');
    expect(upstream).toMatchObject({ count: 1, sum: 0.25 });
  });

  it('I5 · that are rejected without an upstream call are counted by the limit', async () => {
    const attempts = { perUserAndAddress: { attempts: 2, windowMs: 60_000 } };
    await using app = await startObserved(platform, { options: { attempts } });
    for (let i = 0; i < 5; i++) await app.status('/me', wrong(i));
    expect(await app.metrics.value('xpay_auth.attempts.refused', { 'xpay_auth.limit': 'perUserAndAddress' })).toBe(3);
    expect(await app.metrics.value('xpay_auth.requests', outcome('too_many_attempts'))).toBe(3);
  });

  it('I6 · that are accepted while the upstream fails are hits of a stale entry', async () => {
    const verification = { periodMs: 1_000, staleIfErrorMs: 10_000 };
    await using app = await startObserved(platform, { options: { verification } });
    await app.status('/me', asAda);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(2_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.metrics.value('xpay_auth.cache.hits', cache('credentials', 'stale'))).toBe(1);
    expect(await app.metrics.value('xpay_auth.requests', outcome('admitted'))).toBe(2);
  });
});

describe('the app token', () => {
  it('exports its remaining lifetime, and how early it was renewed', async () => {
    await using app = await startObserved('fastify');
    const { metrics, clock, tokens } = app;
    const validity = (): Promise<number> => metrics.value('xpay_auth.token.validity');
    expect([await validity(), await metrics.value('xpay_auth.token.renewals')]).toEqual([0, 0]);
    await tokens.getToken();
    // An hour without the margin of 30 s, and without the second that `Date` may have lost.
    expect(await validity()).toBe(3_569);
    expect(await metrics.histogram('xpay_auth.token.renewal.lead_time')).toBeUndefined();
    await clock.advance(0.8 * HOUR_MS);
    expect(await validity()).toBe(689);
    await tokens.getToken();
    await until(async () => (await metrics.value('xpay_auth.token.renewals', outcome('refreshed'))) === 1, 'renewed');
    expect(await metrics.histogram('xpay_auth.token.renewal.lead_time')).toMatchObject({ count: 1, sum: 689 });
    await clock.advance(2 * HOUR_MS);
    expect(await validity()).toBe(0);
    await tokens.getToken();
    expect(await metrics.histogram('xpay_auth.token.renewal.lead_time')).toMatchObject({ count: 2, sum: 689 });
    expect(await metrics.value('xpay_auth.token.renewals', outcome('obtained'))).toBe(1);
    expect(await metrics.value('xpay_auth.token.renewals', outcome('refreshed'))).toBe(2);
    // It expired while no caller needed it, which is not counted.
    expect(await metrics.value('xpay_auth.token.expirations')).toBe(0);
  });

  it('counts successive failures, an expiry during them, and a rejection', async () => {
    await using app = await startObserved('fastify');
    const { metrics, clock, tokens, xpay } = app;
    const token = await tokens.getToken();
    xpay.faults.always({ kind: 'unavailable' });
    await clock.advance(0.8 * HOUR_MS);
    await tokens.getToken();
    await until(async () => (await metrics.value('xpay_auth.token.failures')) === 1, 'one failure');
    await clock.advance(HOUR_MS);
    await failing(tokens.getToken(), 'upstream_unavailable');
    expect(await metrics.value('xpay_auth.token.failures')).toBe(2);
    expect(await metrics.value('xpay_auth.token.renewals', outcome('upstream_unavailable'))).toBe(2);
    expect(await metrics.value('xpay_auth.token.expirations')).toBe(1);
    xpay.faults.clear();
    await clock.advance(60_000);
    const next = await tokens.getToken();
    expect(await metrics.value('xpay_auth.token.failures')).toBe(0);
    await tokens.invalidate(token);
    await tokens.invalidate(next);
    await tokens.invalidate(next);
    expect(await metrics.value('xpay_auth.token.rejections')).toBe(1);
  });

  it('O1 · callers who shared its request are counted', async () => {
    await using app = await startObserved('fastify');
    await Promise.all(Array.from({ length: 100 }, () => app.tokens.getToken()));
    expect(await app.metrics.value('xpay_auth.flights.joined', { 'xpay_auth.flight': 'token' })).toBe(99);
  });

  it('is not measured for an app without an account', async () => {
    await using app = await startObserved('fastify', { options: {} });
    await app.status('/me', asAda);
    const names = [...(await app.metrics.all()).keys()];
    expect(names.filter((name) => name.startsWith('xpay_auth.token'))).toEqual([]);
    expect(names).toContain('xpay_auth.requests');
  });
});

describe('upstream calls', () => {
  it('are measured by operation, purpose and outcome', async () => {
    await using app = await startObserved('fastify');
    const { metrics, xpay, clock } = app;
    const asked = (operation: string, purpose: string, result: string): Promise<number> =>
      metrics.value('xpay_auth.upstream.duration', {
        'xpay_auth.dialect': 'xpay',
        'xpay_auth.operation': operation,
        'xpay_auth.purpose': purpose,
        ...outcome(result),
      });
    await app.status('/me', asAda);
    await app.status('/me', wrong());
    await app.app.get(XPaySessionService).login(ada);
    await app.http.post('/client/wallets/find');
    xpay.faults.next({ kind: 'status', status: 401 }, { path: '/client/wallets/find' });
    await app.http.post('/client/wallets/find');
    xpay.businessError('maintenance');
    await failing(app.http.post('/client/wallets/find'), 'upstream_business_error');
    xpay.faults.next({ kind: 'reset' }, { path: '/client/wallets/find' });
    await failing(app.http.post('/client/wallets/find'), 'upstream_unavailable');
    expect({
      verified: await asked('authenticate', 'verification', 'ok'),
      refused: await asked('authenticate', 'verification', 'invalid_credentials'),
      login: await asked('authenticate', 'login', 'ok'),
      own: await asked('authenticate', 'own_token', 'ok'),
      calls: await asked('api', 'api_call', 'ok'),
      rejected: await asked('api', 'api_call', 'token_rejected'),
      business: await asked('api', 'api_call', 'upstream_business_error'),
      reset: await asked('api', 'api_call', 'upstream_unavailable'),
    }).toEqual({ verified: 1, refused: 1, login: 1, own: 2, calls: 2, rejected: 1, business: 1, reset: 1 });

    const leaving = new AbortController();
    xpay.faults.next({ kind: 'hang' });
    const call = app.http.post('/client/wallets/find', {}, { signal: leaving.signal });
    const before = xpay.requests();
    await xpay.waitForRequests(before + 1);
    await clock.advance(2_000);
    leaving.abort(new Error('the caller has left'));
    await expect(call).rejects.toThrow('the caller has left');
    expect(await asked('api', 'api_call', 'aborted')).toBe(1);
    const aborted = await metrics.histogram('xpay_auth.upstream.duration', outcome('aborted'));
    expect(aborted?.sum).toBe(2);
  });
});

describe('the shared store', () => {
  it('C3 · is measured: results, outages and failed calls', async () => {
    const store = new MemoryStore();
    const options = { credentials: APP, store, verification: { share: true } };
    await using one = await startObserved('fastify', { options });
    const two = await startObserved('fastify', { options: { ...options, baseUrl: one.xpay.url } });
    await using _two = two;
    expect(await two.metrics.value('xpay_auth.store.available')).toBe(1);
    await one.tokens.getToken();
    await two.tokens.getToken();
    expect(await two.metrics.value('xpay_auth.token.renewals', outcome('adopted'))).toBe(1);
    await one.status('/me', asAda);
    await until(async () => (await two.status('/me', asAda)) === 200, 'taken over');
    expect(await two.metrics.value('xpay_auth.cache.hits', cache('credentials', 'shared'))).toBe(1);
    const { accessToken } = await one.app.get(XPaySessionService).login(ada);
    expect(await two.status('/me', bearer(accessToken))).toBe(200);
    expect(await two.status('/me', bearer(accessToken))).toBe(200);
    expect(await two.metrics.value('xpay_auth.cache.hits', cache('session', 'shared'))).toBe(1);
    expect(await two.metrics.value('xpay_auth.cache.hits', cache('session', 'memory'))).toBe(1);
    expect(await two.metrics.value('xpay_auth.requests', outcome('admitted'))).toBe(3);

    expect(await two.metrics.value('xpay_auth.store.errors')).toBe(0);
    store.goAway();
    expect(await two.metrics.value('xpay_auth.store.available')).toBe(0);
    expect(await two.status('/me', bearer('nobody-knows-me'))).toBe(503);
    expect(await two.metrics.value('xpay_auth.requests', outcome('store_unavailable'))).toBe(1);
    const reads = { 'xpay_auth.store.operation': 'read' };
    expect(await two.metrics.value('xpay_auth.store.errors', reads)).toBeGreaterThan(0);
    store.comeBack();
    expect(await two.metrics.value('xpay_auth.store.available')).toBe(1);
  });

  it('C3 · has one count of failed calls for each operation, from 0', async () => {
    await using app = await startObserved('fastify', { options: { store: new MemoryStore() } });
    const counts = (await app.metrics.all()).get('xpay_auth.store.errors')?.dataPoints ?? [];
    const operations = 'read write discard enlist delist acquire count uncount append read_log renew_epoch publish';
    expect(counts.map(({ attributes, value }) => [attributes['xpay_auth.store.operation'], value])).toEqual(
      operations.split(' ').map((operation) => [operation, 0]),
    );
  });

  it('C3 · is read once for concurrent requests of a session, and the others are counted as having joined', async () => {
    const store = new GatedStore();
    await using one = await startObserved('fastify', { options: { store } });
    await using two = await startObserved('fastify', { options: { store, baseUrl: one.xpay.url } });
    const { accessToken } = await one.app.get(XPaySessionService).login(ada);
    const release = store.hold();
    const crowd = Promise.all(Array.from({ length: 5 }, () => two.status('/me', bearer(accessToken))));
    const joined = { 'xpay_auth.flight': 'session' };
    await until(async () => (await two.metrics.value('xpay_auth.flights.joined', joined)) === 4, 'four have joined');
    release();
    expect(await crowd).toEqual([200, 200, 200, 200, 200]);
  });

  it('is not measured if there is none', async () => {
    await using app = await startObserved('fastify');
    expect([...(await app.metrics.all()).keys()].filter((name) => name.startsWith('xpay_auth.store'))).toEqual([]);
  });
});

describe('XPayTelemetryModule', () => {
  it('measures every instance of an app, each by its name, and stops when the app does', async () => {
    await using xpay = await startXPayEmulator({ accounts: [APP] });
    const metrics = new Metrics();
    const clock = new ManualClock();
    const options = { baseUrl: xpay.url, credentials: APP, clock };
    const module = await Test.createTestingModule({
      imports: [
        XPayAuthModule.forRoot(options),
        XPayTelemetryModule.forRoot({ meterProvider: metrics.provider }),
        XPayAuthModule.forRoot({ ...options, name: 'second', isGlobal: false }),
      ],
    })
      .setLogger(collector([]))
      .compile();
    await module.init();
    await module.get<XPayTokenService>(getXPayInjectionToken(XPayTokenService, 'second'), { strict: false }).getToken();
    const validity = (name: string): Promise<number> =>
      metrics.value('xpay_auth.token.validity', { 'xpay_auth.instance': name });
    const before = await validity('second');
    expect(before).toBeGreaterThan(0);
    expect(await validity('default')).toBe(0);
    await clock.advance(1_000);
    expect(await validity('second')).toBeCloseTo(before - 1, 2);
    await module.close();
    await clock.advance(1_000);
    // The SDK keeps its last reading. It gets no new values.
    expect(await validity('second')).toBeCloseTo(before - 1, 2);
  });

  it('measures the warm-up at boot', async () => {
    await using app = await startObserved('fastify', { options: { credentials: APP, token: { warmUp: true } } });
    expect(await app.metrics.value('xpay_auth.token.renewals', outcome('obtained'))).toBe(1);
    expect(app.spans.names()).toContain('xpay_auth.token.renew');
  });

  it('stops the boot when imported twice, because it would count everything twice', async () => {
    const given = { meterProvider: new Metrics().provider, tracerProvider: new Spans().provider };
    const second = { imports: [XPayTelemetryModule.forRoot(given)] };
    await failing(startObserved('fastify', second), 'configuration');
  });
});
