import { describe, expect, it } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { Controller, Get, Logger } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  Public,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayTokenService,
  getXPayInjectionToken,
} from 'nestjs-xpay-auth';
import { XPayHealthIndicator, XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import {
  ManualClock,
  MemoryStore,
  type XPayEmulator,
  startGiftStreamEmulator,
  startXPayEmulator,
} from 'nestjs-xpay-auth/testing';
import { ada, asAda, RoutesController } from '../support/inbound-app.js';
import { newKey } from '../support/encryption-keys.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { type Platform, type RunningApp, basic, platforms, startApp } from '../support/start-app.js';

const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
/** Instances with one upstream share their log of revocations. */
const UPSTREAM = 'http://127.0.0.1:9';
const HOUR_MS = 3_600_000;

@Public()
@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly xpay: XPayHealthIndicator,
  ) {}

  @HealthCheck()
  @Get('live')
  live() {
    return this.health.check([]);
  }

  @HealthCheck()
  @Get('ready')
  ready() {
    return this.health.check([() => this.xpay.check('xpay')]);
  }
}

interface Probe {
  readonly code: number;
  readonly status: string;
  readonly xpay: Record<string, unknown>;
}

interface Probed extends RunningApp {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly tokens: XPayTokenService;
  ready(): Promise<Probe>;
  live(): Promise<number>;
}

async function startProbed(platform: Platform, options: XPayAuthOptions = { credentials: APP }): Promise<Probed> {
  Logger.overrideLogger(false);
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [APP, ada], clock, tokenLifeMs: HOUR_MS });
  const running = await startApp(platform, {
    imports: [
      XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options }),
      TerminusModule.forRoot({ logger: Logger }),
      XPayHealthModule,
    ],
    controllers: [HealthController, RoutesController],
  });
  return {
    ...running,
    xpay,
    clock,
    tokens: running.app.get(XPayTokenService),
    ready: async () => {
      const answer = await running.fetch('/health/ready');
      const body = (await answer.json()) as { status: string; details: { xpay: Record<string, unknown> } };
      return { code: answer.status, status: body.status, xpay: body.details.xpay };
    },
    live: async () => (await running.fetch('/health/live')).status,
    [Symbol.asyncDispose]: async () => {
      await running.stop();
      await xpay.stop();
    },
  };
}

const failing = async (promise: Promise<unknown>): Promise<void> => {
  await expect(promise).rejects.toMatchObject({ name: 'XPayAuthError' });
};

describe.each(platforms)('the health of an app on %s', (platform) => {
  it('is up before the first token request, and with a token; a probe calls no upstream', async () => {
    await using app = await startProbed(platform);
    expect(await app.ready()).toMatchObject({ code: 200, status: 'ok', xpay: { status: 'up', reasons: [] } });
    await app.tokens.getToken();
    expect(await app.ready()).toMatchObject({ code: 200, xpay: { status: 'up', token: { state: 'fresh' } } });
    await app.clock.advance(2 * HOUR_MS);
    for (let probes = 0; probes < 20; probes++) await app.ready();
    expect(await app.ready()).toMatchObject({ code: 200, xpay: { status: 'up', token: { state: 'expired' } } });
    expect(app.xpay.requests()).toBe(1);
  });

  it('is degraded, and ready, while the upstream fails: with a cached token and without one', async () => {
    await using app = await startProbed(platform);
    await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(0.8 * HOUR_MS);
    await app.tokens.getToken();
    while (app.tokens.status().failures === 0) await app.clock.advance(0);
    expect(await app.ready()).toMatchObject({
      code: 200,
      status: 'degraded',
      xpay: { status: 'degraded', reasons: ['the token is not renewed: upstream_unavailable'] },
    });
    await app.clock.advance(HOUR_MS);
    await failing(app.tokens.getToken());
    expect(await app.ready()).toMatchObject({
      code: 200,
      status: 'degraded',
      xpay: { reasons: ['no usable token: upstream_unavailable'], token: { state: 'expired', usableForMs: 0 } },
    });
    app.xpay.faults.clear();
    await app.clock.advance(1_000);
    await app.tokens.getToken();
    expect(await app.ready()).toMatchObject({ code: 200, status: 'ok', xpay: { reasons: [] } });
  });

  it('is down while the app account is rejected and in backoff; alive all the time; ready to try again afterwards', async () => {
    await using app = await startProbed(platform, { credentials: { ...APP, secretKey: 'not-the-key-1' } });
    await failing(app.tokens.getToken());
    const asked = app.xpay.requests();
    expect(await app.ready()).toMatchObject({
      code: 503,
      status: 'error',
      xpay: { status: 'down', reasons: ['no usable token: credentials_rejected'] },
    });
    expect(await app.live()).toBe(200);
    await app.clock.advance(1_000);
    expect(await app.ready()).toMatchObject({ code: 200, xpay: { status: 'degraded' } });
    expect(app.xpay.requests()).toBe(asked);
    await failing(app.tokens.getToken());
    expect((await app.ready()).code).toBe(503);
  });

  it('is down while the credentials of the app account cannot be read', async () => {
    await using app = await startProbed(platform, {
      credentials: () => Promise.reject(new Error('the vault is shut')),
    });
    await failing(app.tokens.getToken());
    expect(await app.ready()).toMatchObject({ code: 503, xpay: { reasons: ['no usable token: configuration'] } });
  });

  it('a verify-only service needs no token; callers who cannot be verified degrade it for a minute', async () => {
    await using app = await startProbed(platform, {});
    expect((await app.fetch('/me', { headers: asAda })).status).toBe(200);
    await failing(app.tokens.getToken());
    const up = await app.ready();
    expect(up).toMatchObject({ code: 200, status: 'ok', xpay: { status: 'up', reasons: [] } });
    expect(up.xpay).not.toHaveProperty('token');
    app.xpay.faults.always({ kind: 'unavailable' });
    const stranger = { headers: basic('eve@example.test', 'guess-1') };
    expect((await app.fetch('/me', stranger)).status).toBe(503);
    expect(await app.ready()).toMatchObject({
      code: 200,
      status: 'degraded',
      xpay: {
        verification: 'upstream_unavailable',
        reasons: ['callers cannot be verified: upstream_unavailable'],
      },
    });
    await app.clock.advance(60_000);
    expect(await app.ready()).toMatchObject({ code: 200, status: 'ok' });
    expect((await app.fetch('/me', stranger)).status).toBe(503);
    app.xpay.faults.clear();
    // A rejection is a response, so the upstream works.
    expect((await app.fetch('/me', stranger)).status).toBe(401);
    expect(await app.ready()).toMatchObject({ code: 200, status: 'ok' });
  });

  it('is degraded while the shared store is away', async () => {
    const store = new MemoryStore();
    await using app = await startProbed(platform, { credentials: APP, store });
    expect(await app.ready()).toMatchObject({ code: 200, status: 'ok', xpay: { store: { state: 'ready' } } });
    store.goAway();
    expect(await app.ready()).toMatchObject({
      code: 200,
      status: 'degraded',
      xpay: { reasons: ['store away'], store: { state: 'away' } },
    });
    store.comeBack();
    expect((await app.ready()).status).toBe('ok');
  });

  it('S4 · is not ready with another index key than the store was used with, and says so', async () => {
    await using redis = await RedisServer.start();
    const open = () => redisStore({ url: redis.url, encryptionKeys: [{ id: 'k1', key: newKey() }] });
    await using one = await startProbed(platform, { credentials: APP, store: open(), baseUrl: UPSTREAM });
    // An instance is ready before it has used the store.
    await until(async () => (await redis.client.keys('*')).length > 0, 'the first one has used the store');
    expect((await one.ready()).code).toBe(200);
    await using other = await startProbed(platform, { credentials: APP, store: open(), baseUrl: UPSTREAM });
    await until(async () => (await other.ready()).code === 503, 'the other one is not ready');
    expect(await other.ready()).toMatchObject({
      status: 'error',
      xpay: { status: 'down', reasons: ['store misconfigured: it was used with another index key'] },
    });
    expect((await one.ready()).code).toBe(200);
  });

  it('contains no secrets and names in any state', async () => {
    await using app = await startProbed(platform, { credentials: { ...APP, secretKey: 'not-the-key-1' } });
    await failing(app.tokens.getToken());
    expect((await app.fetch('/me', { headers: basic(ada.username, 'guess-2') })).status).toBe(401);
    const said = await (await app.fetch('/health/ready')).text();
    for (const secret of [APP.username, 'not-the-key-1', ada.username, 'guess-2']) expect(said).not.toContain(secret);
  });
});

describe('named instances', () => {
  it('each have their own health', async () => {
    Logger.overrideLogger(false);
    await using xpay = await startXPayEmulator({ accounts: [APP] });
    await using gift = await startGiftStreamEmulator({ accounts: [APP] });
    const wrong = { ...APP, secretKey: 'not-the-key-1' };
    await using running = await startApp('fastify', {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: APP }),
        XPayAuthModule.forRoot({ name: 'gift', dialect: 'gift-stream', baseUrl: gift.url, credentials: wrong }),
        TerminusModule,
        XPayHealthModule,
      ],
    });
    const indicator = running.app.get(XPayHealthIndicator);
    await running.app.get(XPayTokenService).getToken();
    await failing(running.app.get<XPayTokenService>(getXPayInjectionToken(XPayTokenService, 'gift')).getToken());
    expect(indicator.check()).toMatchObject({ xpay: { status: 'up' } });
    expect(indicator.check('gift', { instance: 'gift' })).toMatchObject({ gift: { status: 'down' } });
    expect(() => indicator.check('other', { instance: 'other' })).toThrow(/No XPayAuthModule named "other"/);
  });
});
