import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { statusesOf } from '../support/crowd.js';
import { RoutesController, ada, asAda, asRoot, root, startInbound, wrong } from '../support/inbound-app.js';
import { type Platform, basic, platforms } from '../support/start-app.js';

const hour = 3_600_000;
const limitOf = (attempts: number) => ({ attempts, windowMs: hour });
const verification = { maxConcurrent: 2_000 };
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

/** A request through a proxy, from this address. */
function from(address: string, headers = wrong(address)): Record<string, string> {
  return { ...headers, 'x-forwarded-for': address };
}

describe.each(platforms)('attempts on %s', (platform) => {
  it('I5 · of 1,000 parallel guesses 10 reach the upstream, the rest are 429 with Retry-After', async () => {
    await using app = await startInbound(platform, { options: { verification } });
    const guesses = Array.from({ length: 1_000 }, (_, i) => wrong(i));
    const statuses = await statusesOf(app, guesses);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(990);
    expect(app.asked()).toBe(10);
    const refused = await app.fetch('/me', { headers: wrong('one more') });
    expect(refused.status).toBe(429);
    const retryAfter = Number(refused.headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(800);
    expect(retryAfter).toBeLessThanOrEqual(900);
    expect(refused.headers.get('www-authenticate')).toBeNull();
    expect(await refused.json()).toMatchObject({ statusCode: 429, errorCode: 'too_many_attempts' });
  });

  it('I5 · cached callers are accepted while guesses at their name are rejected', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    for (let i = 0; i < 11; i++) await app.status('/me', wrong(i));
    expect(await app.status('/me', wrong('x'))).toBe(429);
    for (let quarter = 0; quarter < 8; quarter++) {
      const before = app.events.filter(({ type }) => type === 'verified').length;
      await app.clock.advance(45_000);
      expect(await app.status('/me', asAda)).toBe(200);
      await app.xpay.waitForRequests(12 + quarter);
      while (app.events.filter(({ type }) => type === 'verified').length === before) await app.clock.advance(0);
    }
  });

  it('I5 · a success and an upstream failure cost no attempts', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { ...roomy, perUserAndAddress: limitOf(2) }, verification: { periodMs: 1 } },
    });
    for (let i = 0; i < 5; i++) {
      await app.clock.advance(10);
      expect(await app.status('/me', asAda)).toBe(200);
    }
    app.xpay.faults.next({ kind: 'html502' }, { times: 5 });
    for (let i = 0; i < 5; i++) expect(await app.status('/me', wrong(i))).toBe(503);
    app.xpay.businessError('maintenance', null, { times: 5 });
    for (let i = 0; i < 5; i++) expect(await app.status('/me', wrong(i))).toBe(502);
    expect([await app.status('/me', wrong(1)), await app.status('/me', wrong(2))]).toEqual([401, 401]);
    expect(await app.status('/me', wrong(3))).toBe(429);
  });

  it('I5 · the same rejected credential is counted once, however often it is sent', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { ...roomy, perUserAndAddress: limitOf(2) } },
    });
    for (let i = 0; i < 10; i++) {
      expect(await app.status('/me', wrong('old'))).toBe(401);
      expect(await app.status('/me', wrong('old'))).toBe(401);
      await app.clock.advance(5_000);
    }
    expect(app.asked()).toBe(10);
    expect(await app.status('/me', wrong('new'))).toBe(401);
    expect(await app.status('/me', wrong('newer'))).toBe(429);
  });

  it('I5 · callers who wait for the same rejection count as one attempt', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { ...roomy, perUserAndAddress: limitOf(2) } },
    });
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    const waiting = Array.from({ length: 20 }, () => app.status('/me', wrong()));
    await app.xpay.waitForRequests(1);
    await app.clock.advance(1_000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([401]));
    expect(await app.status('/me', wrong('second'))).toBe(401);
    expect(await app.status('/me', wrong('third'))).toBe(429);
  });

  it('I5 · another case or width of a name gives no additional attempts, but the name is sent upstream unchanged', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perUser: limitOf(3) } } });
    for (const name of ['ada@example.test', 'ADA@example.test', 'ａｄａ@example.test']) {
      expect(await app.status('/me', basic(name, 'guess'))).toBe(401);
    }
    expect(await app.status('/me', basic('Ada@Example.test', 'guess'))).toBe(429);
    expect(app.xpay.ledger.map(({ body }) => (body as { username: string }).username)).toEqual([
      'ada@example.test',
      'ADA@example.test',
      'ａｄａ@example.test',
    ]);
  });

  it('I5 · letters, dots and invisible characters that an upstream may fold give no additional attempts', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perUser: limitOf(1) } } });
    expect(await app.status('/me', basic('bjørn.strauß.ŧ@example.test', 'guess'))).toBe(401);
    for (const name of [
      'BJORN.STRAUSS.T@EXAMPLE.TEST',
      'bjørn.strauß.ŧ@example.test.',
      'bjørn\u3164.strauß.ŧ@example.test',
    ]) {
      expect(await app.status('/me', basic(name, 'guess'))).toBe(429);
    }
    expect(app.asked()).toBe(1);
  });

  it('I5 · one address may not try many names', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perAddress: limitOf(5) } } });
    for (let i = 0; i < 5; i++) expect(await app.status('/me', basic(`user-${i}`, 'guess'))).toBe(401);
    expect(await app.status('/me', basic('user-5', 'guess'))).toBe(429);
    expect(app.events.at(-1)).toMatchObject({ type: 'locked-out', limit: 'perAddress', scheme: 'Basic' });
  });

  it('I8 · an empty name or key is rejected without an upstream call, and counted', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perAddress: limitOf(4) } } });
    for (const [name, key] of [
      ['', 'x'],
      ['ada', ''],
      ['', ''],
      ['bob', ''],
    ] as const) {
      expect(await app.status('/me', basic(name, key))).toBe(401);
    }
    expect(await app.status('/me', basic('eve', ''))).toBe(429);
    expect(app.asked()).toBe(0);
  });
});

describe.each(platforms)('attempts behind a trusted proxy on %s', (platform) => {
  const attempts = { ...roomy, perUser: limitOf(3), perAddress: limitOf(5) };

  it('I5 · an attacker cannot lock the owner out of an address from which the owner was authenticated', async () => {
    await using app = await startBehindProxy(platform, attempts);
    expect(await app.status('/me', from('192.0.2.1', asAda))).toBe(200);
    for (let i = 1; i <= 3; i++) expect(await app.status('/me', from(`198.51.100.${i}`))).toBe(401);
    expect(await app.status('/me', from('198.51.100.4'))).toBe(429);
    // A key that is not cached: the owner mistypes it and then sends the correct one.
    expect(await app.status('/me', from('192.0.2.1', wrong('typo')))).toBe(401);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect(await app.status('/me', from('192.0.2.1', basic(ada.username, 'another-secret-key')))).toBe(200);
    expect(await app.status('/me', from('203.0.113.9', basic(ada.username, 'yet-another')))).toBe(429);
  });

  it('I5 · the addresses of an IPv6 subscriber (/64) count as one', async () => {
    await using app = await startBehindProxy(platform, { ...attempts, perUser: limitOf(1_000) });
    for (let i = 1; i <= 5; i++) expect(await app.status('/me', from(`2001:db8:1:2::${i}`))).toBe(401);
    expect(await app.status('/me', from('2001:db8:1:2:ffff::6'))).toBe(429);
    expect(await app.status('/me', from('2001:db8:1:3::1'))).toBe(401);
  });
});

describe.each(platforms)('attempts behind an untrusted proxy on %s', (platform) => {
  it('I5 · addresses are not counted, names are; one warning reports it', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { perUserAndAddress: limitOf(1), perAddress: limitOf(1), perUser: limitOf(4) } },
    });
    for (let i = 0; i < 4; i++) expect(await app.status('/me', from('192.0.2.7', wrong(i)))).toBe(401);
    expect(await app.status('/me', from('192.0.2.7', wrong(5)))).toBe(429);
    expect(await app.status('/me', from('192.0.2.7', asRoot))).toBe(200);
    expect(app.logged.filter((line) => line.includes('proxy this app does not trust'))).toHaveLength(1);
    expect(app.events.find(({ type }) => type === 'refused')).toMatchObject({ address: undefined });
  });
});

interface BehindProxy extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  status(path: string, headers: Record<string, string>): Promise<number>;
}

/** An app that trusts the proxy in front of it. Fastify needs this setting at construction. */
async function startBehindProxy(platform: Platform, attempts: object): Promise<BehindProxy> {
  const xpay = await startXPayEmulator({ accounts: [ada, root] });
  const testing = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, attempts })],
    controllers: [RoutesController],
  }).compile();
  testing.useLogger(false);
  let app: INestApplication;
  if (platform === 'express') {
    app = testing.createNestApplication(new ExpressAdapter());
    (app as NestExpressApplication).set('trust proxy', true);
  } else {
    app = testing.createNestApplication(new FastifyAdapter({ trustProxy: true }));
  }
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    xpay,
    status: async (path, headers) => (await fetch(url + path, { headers })).status,
    async [Symbol.asyncDispose]() {
      await app.close();
      await xpay.stop();
    },
  };
}
