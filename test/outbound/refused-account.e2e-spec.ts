import { describe, expect, it } from '@jest/globals';
import { type Credentials, XPayAuthError } from 'nestjs-xpay-auth';
import { figure } from './figures.js';
import { APP, HOUR_MS, failureOf, served, startOutbound, until } from './outbound.js';

const WRONG = { ...APP, secretKey: 'a-wrong-key-57721' };

describe('the app account rejected', () => {
  it('O4 · two hundred successive callers cause one request in the backoff period', async () => {
    await using app = await startOutbound({ credentials: WRONG });
    expect(await served(200, () => app.tokens.getToken())).toBe(0);
    expect(app.logins()).toBe(1);
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'credentials_rejected', status: 502 });
    figure('O4', 'the account is rejected, 200 callers one after another', `${app.logins()} request`);
  });

  it('O4 · the period is 1 s and doubles to 60 s', async () => {
    await using app = await startOutbound({ credentials: WRONG });
    const asked: number[] = [];
    let logins = 0;
    for (let ms = 0; ms <= 200_000; ms += 250) {
      await app.tokens.getToken().catch(() => undefined);
      if (app.logins() !== logins) asked.push(ms / 1_000);
      logins = app.logins();
      await app.clock.advance(250);
    }
    expect(asked).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
    figure(
      'O4',
      'the account is rejected: times of the next attempts, from the first attempt on',
      `${asked.slice(1, 8).join(', ')} s, then every 60 s`,
    );
  });

  it('O4 · the failure states the retry time, and a forced refresh waits for the period too', async () => {
    await using app = await startOutbound({ credentials: WRONG });
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ retryAfterMs: 1_000 });
    await app.clock.advance(400);
    expect(await failureOf(app.tokens.refresh())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 600 });
    expect(app.logins()).toBe(1);
    expect(app.tokens.status()).toMatchObject({
      state: 'none',
      failures: 1,
      lastError: 'credentials_rejected',
      nextRefreshAt: app.clock.now() + 600,
    });
  });

  it('O4 · new credentials end the backoff at once', async () => {
    let credentials: Credentials = WRONG;
    await using app = await startOutbound({ credentials: () => credentials });
    for (let i = 0; i < 6; i++) {
      await failureOf(app.tokens.getToken());
      await app.clock.advance(32_000);
    }
    await failureOf(app.tokens.getToken());
    credentials = APP;
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect(app.tokens.status()).toMatchObject({ state: 'fresh', failures: 0, lastError: undefined });
  });

  it('O4 · after the account was accepted, a later rejection starts again at 1 s', async () => {
    let credentials: Credentials = WRONG;
    await using app = await startOutbound({ credentials: () => credentials });
    for (let i = 0; i < 4; i++) {
      await failureOf(app.tokens.getToken());
      await app.clock.advance(60_000);
    }
    credentials = APP;
    await app.tokens.getToken();
    credentials = WRONG;
    expect(await failureOf(app.tokens.refresh())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 1_000 });
  });

  it('O4 · a function that returns new wrong credentials each time does not cause unlimited logins', async () => {
    let reads = 0;
    await using app = await startOutbound({ credentials: () => ({ ...APP, secretKey: `wrong-${reads++}` }) });
    await served(200, () => app.tokens.getToken());
    expect(app.logins()).toBeLessThanOrEqual(8);
  });

  it('O4 · a failure to read the credentials does not shorten the period', async () => {
    let vault = true;
    await using app = await startOutbound({
      credentials: () => {
        if (!vault) throw new Error('sealed');
        return WRONG;
      },
      token: { rejectedRetryMs: { min: 30_000, max: 60_000 } },
    });
    await failureOf(app.tokens.getToken());
    vault = false;
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'configuration' });
    vault = true;
    await app.clock.advance(5_000);
    expect(await failureOf(app.tokens.getToken())).toMatchObject({
      code: 'credentials_rejected',
      retryAfterMs: 25_000,
    });
    expect(app.logins()).toBe(1);
  });

  it('O4 · a token that is still valid is handed out meanwhile, without upstream calls', async () => {
    let reads = 0;
    await using app = await startOutbound({
      credentials: () => {
        reads++;
        return APP;
      },
    });
    await app.tokens.getToken();
    await app.clock.advance(0.76 * HOUR_MS);
    app.xpay.setSecret(APP.username, 'rotated-without-us');
    expect(await served(1, () => app.tokens.getToken())).toBe(1);
    await until(() => app.events.length === 2);
    expect(await served(200, () => app.tokens.getToken())).toBe(200);
    expect(app.logins()).toBe(2);
    // One read for the first login, and two for the rejected one: the vault is not called more often either.
    expect(reads).toBe(3);
  });

  it('O14 · rotated credentials are read again after a rejection, and tried once', async () => {
    let credentials: Credentials = APP;
    let reads = 0;
    await using app = await startOutbound({
      credentials: () => {
        reads++;
        // The vault changes a little after the upstream: the first read still returns the old key.
        return reads === 2 ? { ...APP } : credentials;
      },
    });
    await app.tokens.getToken();
    credentials = { ...APP, secretKey: 'the-new-key-14142' };
    app.xpay.setSecret(APP.username, credentials.secretKey);
    await app.clock.advance(HOUR_MS);
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect([reads, app.logins()]).toEqual([3, 3]);
    const refused = app.xpay.ledger.filter(({ outcome }) => outcome === 'refused').length;
    expect(app.tokens.status()).toMatchObject({ failures: 0, lastError: undefined });
    figure(
      'O14',
      'key changed at run time: attempts with the old key, failed calls',
      `${refused}, ${app.tokens.status().failures}`,
    );
  });

  it('O14 · the same credentials are not tried a second time', async () => {
    let reads = 0;
    await using app = await startOutbound({
      credentials: () => {
        reads++;
        return Promise.resolve({ ...WRONG });
      },
    });
    await failureOf(app.tokens.getToken());
    expect([reads, app.logins()]).toEqual([2, 1]);
  });

  it('O14 · the function is called for each login, and not for a cached token', async () => {
    let reads = 0;
    await using app = await startOutbound({
      credentials: () => {
        reads++;
        return APP;
      },
    });
    await served(100, () => app.tokens.getToken());
    expect(reads).toBe(1);
    await app.tokens.refresh();
    expect(reads).toBe(2);
  });

  const garbage: Record<string, unknown> = {
    nothing: undefined,
    null: null,
    'a text': 'app:secret',
    'an empty key': { username: 'app', secretKey: '' },
    'a number as the key': { username: 'app', secretKey: 5 },
    'a key with a line break': { username: 'app', secretKey: 'a\nb' },
    'a lone surrogate': { username: 'app', secretKey: '\ud800' },
    'a promise of undefined': Promise.resolve(undefined),
  };
  it.each(Object.entries(garbage))('O14 · a function that returns %s is a configuration error', async (_, given) => {
    await using app = await startOutbound({ credentials: () => given as Credentials });
    const failure = await failureOf(app.tokens.getToken());
    expect(failure).toMatchObject({
      code: 'configuration',
      status: 500,
      message: expect.stringContaining('credentials') as unknown,
    });
    expect(app.xpay.requests()).toBe(0);
  });

  it('O14 · a function that returns nothing in time is named in the error, not the upstream', async () => {
    let asked = 0;
    await using app = await startOutbound({
      credentials: async () => {
        if (asked++ === 0) await new Promise(() => undefined);
        return APP;
      },
    });
    const waiting = failureOf(app.tokens.getToken());
    await until(() => asked === 1);
    await app.clock.advance(10_000);
    expect(await waiting).toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('within 10000 ms') as unknown,
    });
    await app.clock.advance(1_000);
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect(app.logins()).toBe(1);
  });

  it('O14 · credentials that arrive after the deadline cause no login', async () => {
    const late: ((credentials: Credentials) => void)[] = [];
    await using app = await startOutbound({ credentials: () => new Promise((resolve) => late.push(resolve)) });
    const waiting = failureOf(app.tokens.getToken());
    await until(() => late.length === 1);
    await app.clock.advance(10_000);
    await waiting;
    late[0]?.(APP);
    await app.clock.advance(0);
    expect(app.xpay.requests()).toBe(0);
    expect(app.tokens.status()).toMatchObject({ state: 'none', failures: 1 });
  });

  it('O14 · an error of the function with a code that blames the caller does not become a rejection of the account', async () => {
    await using app = await startOutbound({
      credentials: () => {
        throw new XPayAuthError('invalid_credentials', 'vault says no');
      },
    });
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'configuration' });
  });
});

describe('token.warmUp', () => {
  it('obtains the token at boot', async () => {
    await using app = await startOutbound({ token: { warmUp: true } });
    expect(app.tokens.peek()).toBeDefined();
    expect(app.logins()).toBe(1);
  });

  it('is off by default', async () => {
    await using app = await startOutbound();
    expect(app.logins()).toBe(0);
  });

  it('fails the boot when the account is rejected, with the reason', async () => {
    const failure = await failureOf(startOutbound({ token: { warmUp: true }, credentials: WRONG }));
    expect(failure).toMatchObject({ code: 'credentials_rejected' });
    expect(failure.message).toMatch(/token\.warmUp.*rejected the app account/);
    expect(failure.reference).toEqual({ uuid: expect.any(String), tag: expect.any(String) });
  });

  it('fails the boot when there is no account', async () => {
    const failure = await failureOf(startOutbound({ token: { warmUp: true }, credentials: undefined as never }));
    expect(failure).toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('token.warmUp') as unknown,
    });
  });

  it.each([{ kind: 'reset' }, { kind: 'html502' }, { kind: 'rateLimited' }, { kind: 'notJson' }] as const)(
    'does not fail the boot for a failing upstream: $kind',
    async (fault) => {
      await using app = await startOutbound({ token: { warmUp: true } }, {}, (xpay) => xpay.faults.next(fault));
      expect(app.tokens.status()).toMatchObject({ state: 'none', failures: 1 });
      expect(app.lines.join('\n')).toContain('No new access token: upstream_');
      await app.clock.advance(1_000);
      await expect(app.tokens.getToken()).resolves.toBeDefined();
    },
  );
});
