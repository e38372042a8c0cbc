import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { inspect } from 'node:util';
import { type CredentialsExtractor, XPayAuthModule } from 'nestjs-xpay-auth';
import { ada, asAda, asRoot, root, startInbound, wrong } from '../support/inbound-app.js';
import { basic, bearer, platforms, startApp } from '../support/start-app.js';
import { settled } from '../support/settled.js';

const hour = 3_600_000;
const limitOf = (attempts: number) => ({ attempts, windowMs: hour });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

describe('invalid options of an extractor', () => {
  it.each([
    ['no scheme', {}],
    ['a scheme that is not a token', { scheme: 'X\r\nSet-Cookie: a' }],
    ['an empty scheme', { scheme: '' }],
    ['parameters that are not an object', { scheme: 'X', parameters: 'a' }],
    ['a parameter with a line end', { scheme: 'X', parameters: { a: 'b\r\nc' } }],
    ['a parameter whose name is not a token', { scheme: 'X', parameters: { 'a b': 'c' } }],
  ])('I9 · an extractor with %s stops the boot', async (_, offered) => {
    const extractor = { ...offered, extract: () => undefined } as unknown as CredentialsExtractor;
    const options = {
      baseUrl: 'https://upstream.example.test',
      verification: { extractors: ['basic', extractor] as const },
    };
    const starting = startApp('express', { imports: [XPayAuthModule.forRoot(options)] });
    await expect(starting).rejects.toThrow(/verification\.extractors\.1: an object is not allowed.*token/);
  });
});

describe.each(platforms)('hostile callers on %s', (platform) => {
  it('I5 · a client that sends X-Forwarded-For is counted by its own address', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perAddress: limitOf(3) } } });
    expect(await app.status('/me', basic('user-0', 'guess'))).toBe(401);
    for (let i = 1; i < 3; i++) {
      expect(await app.status('/me', { ...basic(`user-${i}`, 'guess'), 'x-forwarded-for': `192.0.2.${i}` })).toBe(401);
    }
    expect(await app.status('/me', { ...basic('user-3', 'guess'), forwarded: 'for=x' })).toBe(429);
  });

  it('I5 · accents, invisible characters and spaces around a name give no additional attempts', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perUser: limitOf(1) } } });
    expect(await app.status('/me', basic('ada', 'guess'))).toBe(401);
    for (const name of ['ada ', ' ada', 'a\u200bda', '\u00e1da', 'ADA\u00a0']) {
      expect(await app.status('/me', basic(name, 'guess'))).toBe(429);
    }
    expect(await app.status('/me', basic('a da', 'guess'))).toBe(401);
  });

  it('I8 · the same empty secret sent twice is counted once, like any other wrong one', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { ...roomy, perUserAndAddress: limitOf(2) } },
    });
    for (let i = 0; i < 10; i++) {
      expect(await app.status('/me', basic(ada.username, ''))).toBe(401);
      await app.clock.advance(5_000);
    }
    expect(await app.status('/me', wrong())).toBe(401);
    expect(await app.status('/me', wrong('second'))).toBe(429);
  });

  it('I2 · a flood of wrong keys leaves capacity to renew cached callers', async () => {
    await using app = await startInbound(platform, {
      options: { verification: { maxConcurrent: 4, maxQueued: 0 }, attempts: false },
    });
    await app.status('/me', asAda);
    await app.clock.advance(45_000);
    app.xpay.faults.next({ kind: 'delay', ms: 4_000 }, { times: 3 });
    const flood = Promise.all([1, 2, 3].map((i) => app.status('/me', wrong(i))));
    await app.xpay.waitForRequests(4);
    expect(await app.status('/me', wrong(4))).toBe(503);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.xpay.waitForRequests(5);
    await settled(() => app.events.filter(({ type }) => type === 'verified').length === 2);
    await app.clock.advance(4_000);
    expect(await flood).toEqual([401, 401, 401]);
  });

  it("I10 · an account that logs in repeatedly ends its own oldest session and no other account's", async () => {
    await using app = await startInbound(platform);
    const others = await app.sessions.login(root);
    const first = await app.sessions.login(ada);
    const second = await app.sessions.login(ada);
    for (let i = 2; i < 100; i++) await app.sessions.login(ada);
    expect(await app.status('/me', bearer(first.accessToken))).toBe(200);
    await app.sessions.login(ada);
    expect(await app.status('/me', bearer(first.accessToken))).toBe(401);
    expect(await app.status('/me', bearer(second.accessToken))).toBe(200);
    expect(await app.status('/me', bearer(others.accessToken))).toBe(200);
  });
});

describe.each(platforms)('hostile environments on %s', (platform) => {
  it('I1 · a cached caller is verified again after the machine slept, but not after a small step of the wall clock', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    app.clock.stepWall(2_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(1);
    app.clock.stepWall(1);
    app.xpay.removeAccount(ada.username);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it.each([
    // A 429 concerns the username of the request (D3).
    ['rateLimited', 'upstream_rate_limited', asAda],
    ['unavailable', 'upstream_unavailable', asRoot],
  ] as const)(
    'I6 · an upstream that is %s with Retry-After is not called until then, for at most 60 s',
    async (kind, errorCode, next) => {
      await using app = await startInbound(platform);
      app.xpay.faults.next({ kind, retryAfter: 999_999 });
      const first = await app.fetch('/me', { headers: asAda });
      expect([first.status, first.headers.get('retry-after')]).toEqual([503, '300']);
      await app.clock.advance(59_000);
      const held = await app.fetch('/me', { headers: next });
      expect([held.status, held.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await held.json()).toMatchObject({ errorCode });
      expect(app.asked()).toBe(1);
      await app.clock.advance(1_000);
      expect(await app.status('/me', next)).toBe(200);
    },
  );

  it('B9 · a logger that throws on an audit line does not reject a caller', async () => {
    await using app = await startInbound(platform);
    app.app.useLogger({ log: fail, warn: fail, error: fail, debug: fail });
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/me', wrong())).toBe(401);
    expect(app.events.map(({ type }) => type)).toEqual(['verified', 'refused']);
  });

  it('B9 · an error thrown by an extractor leaks nothing of its input', async () => {
    const thrown: unknown[] = [];
    const extractor: CredentialsExtractor = {
      scheme: 'Cookie',
      extract: ({ headers }) => JSON.parse(String(headers['x-credentials'])) as undefined,
    };
    await using app = await startInbound(platform, {
      options: { verification: { extractors: [extractor] } },
      configure: (nest) => void nest.useGlobalFilters(new Collecting(thrown)),
    });
    await app.status('/me', { 'x-credentials': 'a-minted-secret' });
    expect(thrown).toHaveLength(1);
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain('minted');
  });
});

/** A method of a logger that throws on audit lines. */
function fail(line: unknown): void {
  if (String(line).startsWith('audit')) throw new Error('disk full');
}

/** A filter of the app that logs everything. */
@Catch()
class Collecting implements ExceptionFilter {
  constructor(private readonly thrown: unknown[]) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    this.thrown.push(exception);
    const response = host.switchToHttp().getResponse<{ status(code: number): { send(body: string): void } }>();
    response.status(500).send('');
  }
}
