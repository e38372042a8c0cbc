import { Controller, ForbiddenException, Get, HttpException, Param } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { type Credentials, Public, XPayAuthError, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { FIND, HOUR_MS, failureOf, served, until } from '../outbound/outbound.js';
import { pumped } from '../support/pumped.js';
import { platforms, startApp } from '../support/start-app.js';
import { merchant, startShop } from './stage.js';

const IDS = ['m-1', 'm-2', 'm-3', 'm-4', 'm-5'];

/** The user names that the upstream knows for the calls of its API, in order. */
const callersOf = (shop: Awaited<ReturnType<typeof startShop>>): unknown[] =>
  shop.xpay.ledger.filter(({ path }) => path === FIND).map(({ account }) => account);

describe('forAccount', () => {
  it('M1 · concurrent callers of each account share one login, and each gets a token of its own account', async () => {
    await using shop = await startShop(IDS);
    const asked = Array.from({ length: 200 }, (_, at) => IDS[at % IDS.length] ?? '');
    const tokens = await Promise.all(asked.map((id) => shop.tokens.forAccount(id).getToken()));
    expect(shop.logins()).toBe(IDS.length);
    const byId = new Map(asked.map((id, at) => [id, tokens[at]]));
    expect(new Set(byId.values()).size).toBe(IDS.length);
    expect(tokens).toEqual(asked.map((id) => byId.get(id)));
    expect(IDS.map((id) => shop.logins(id))).toEqual([1, 1, 1, 1, 1]);
  });

  it('M1 · API calls have the rights of their account', async () => {
    await using shop = await startShop(IDS);
    for (const id of ['m-2', 'm-1', 'm-2']) await shop.http.forAccount(id).post(FIND, { page: 1 });
    expect(callersOf(shop)).toEqual(['m-2', 'm-1', 'm-2'].map((id) => merchant(id).username));
    const owned = { username: merchant('m-3').username };
    const account = shop.http.forAccount('m-3');
    expect((await account.request<unknown[]>({ path: FIND })).data[0]).toMatchObject(owned);
    for await (const item of account.pages(FIND)) expect(item).toMatchObject(owned);
  });

  it('M1 · a rejected token is renewed for its account alone', async () => {
    await using shop = await startShop(IDS);
    const other = await shop.tokens.forAccount('m-2').getToken();
    await shop.tokens.forAccount('m-1').getToken();
    shop.xpay.revokeTokens(merchant('m-1').username);
    await shop.http.forAccount('m-1').post(FIND, { page: 1 });
    expect([shop.logins('m-1'), shop.logins('m-2')]).toEqual([2, 1]);
    expect(await shop.tokens.forAccount('m-2').getToken()).toBe(other);
  });

  it('M1 · a token is renewed in the background, each account at its own point of the lifetime', async () => {
    await using shop = await startShop(IDS);
    for (const id of IDS) await shop.tokens.forAccount(id).getToken();
    const due = IDS.map((id) => shop.tokens.forAccount(id).status().nextRefreshAt);
    expect(new Set(due).size).toBe(IDS.length);
    const old = shop.tokens.forAccount('m-1').peek();
    await shop.clock.advance(0.76 * HOUR_MS);
    expect(await shop.tokens.forAccount('m-1').getToken()).toBe(old);
    await until(() => shop.events.some(({ type }) => type === 'refreshed'));
    expect(shop.tokens.forAccount('m-1').peek()).not.toBe(old);
    expect(shop.logins()).toBe(IDS.length + 1);
  });

  it('M1 · the other methods of the token service exist for each account', async () => {
    await using shop = await startShop(IDS);
    const account = shop.tokens.forAccount('m-1');
    expect([account.peek(), account.status().state, shop.reads]).toEqual([undefined, 'none', []]);
    const token = await account.getToken();
    expect(await account.authorizationHeader()).toBe(`Bearer ${token.value}`);
    expect([account.peek(), account.status().state]).toEqual([token, 'fresh']);
    const renewed = await account.refresh();
    expect(renewed).not.toBe(token);
    await account.invalidate(renewed);
    expect(account.peek()).toBeUndefined();
    const controller = new AbortController();
    controller.abort(new Error('left'));
    await expect(account.getToken({ signal: controller.signal })).rejects.toThrow('left');
  });

  it('M1 · new credentials of an account are read again after a rejection', async () => {
    await using shop = await startShop(IDS);
    await shop.tokens.forAccount('m-1').getToken();
    shop.xpay.setSecret(merchant('m-1').username, 'rotated-1');
    shop.known.set('m-1', { ...merchant('m-1'), secretKey: 'rotated-1' });
    await shop.clock.advance(HOUR_MS);
    await expect(shop.tokens.forAccount('m-1').getToken()).resolves.toBeDefined();
  });

  it('M1 · the message of a rejection says whether the app account or an account of forAccount was rejected', async () => {
    const credentials = { username: 'app@example.test', secretKey: 'a-wrong-key' };
    await using shop = await startShop(IDS, {}, { credentials });
    shop.known.set('m-1', { ...merchant('m-1'), secretKey: 'a-wrong-key' });
    const failures = [
      await failureOf(shop.tokens.forAccount('m-1').getToken()),
      await failureOf(shop.tokens.getToken()),
    ];
    const reasons = ['an account of the option `accounts.credentials`', 'the app account'];
    expect(failures.map(({ message }) => message)).toEqual(reasons.map((who) => `The upstream rejected ${who}`));
    const errors = shop.lines.filter((line) => line.startsWith('error No new access token'));
    expect(errors).toEqual(reasons.map((who) => expect.stringContaining(`The upstream rejected ${who}`) as unknown));
  });

  it('M1 · events have the id of their account, and those of the app account have none', async () => {
    const app = { username: 'app@example.test', secretKey: 'app-key-1' };
    await using shop = await startShop(IDS, {}, { credentials: app });
    shop.xpay.addAccount(app);
    const own: unknown[] = [];
    shop.tokens.forAccount('m-2').events.subscribe(({ type, account }) => own.push([type, account]));
    await shop.tokens.getToken();
    await shop.tokens.forAccount('m-1').getToken();
    await shop.tokens.forAccount('m-2').getToken();
    expect(shop.events.map(({ account }) => account)).toEqual([undefined, 'm-1', 'm-2']);
    expect(shop.events[0]).not.toHaveProperty('account');
    expect(own).toEqual([['obtained', 'm-2']]);
  });

  it('M1 · without the option accounts it throws configuration', async () => {
    await using shop = await startShop([], {}, { accounts: undefined as never });
    for (const forAccount of [() => shop.tokens.forAccount('m-1'), () => shop.http.forAccount('m-1')]) {
      expect(forAccount).toThrow(expect.objectContaining({ code: 'configuration' }));
      expect(forAccount).toThrow('option accounts: not set');
    }
  });

  it('M1 · getToken() without an app account throws configuration, and names forAccount', async () => {
    await using shop = await startShop(IDS);
    const failure = await failureOf(shop.tokens.getToken());
    expect(failure.code).toBe('configuration');
    expect(failure.message).toContain('call forAccount(id)');
    expect(await failureOf(shop.http.post(FIND, {}))).toMatchObject({ code: 'configuration' });
    expect([shop.xpay.requests(), shop.reads]).toEqual([0, []]);
  });

  it('M1 · after the shutdown every account rejects with shutting_down', async () => {
    await using shop = await startShop(IDS);
    await shop.tokens.forAccount('m-1').getToken();
    shop.xpay.faults.next({ kind: 'hang' });
    const waiting = failureOf(shop.tokens.forAccount('m-2').getToken());
    await shop.xpay.waitForRequests(2);
    await shop.module.close();
    expect(await waiting).toMatchObject({ code: 'shutting_down' });
    const later = [shop.tokens.forAccount('m-3').getToken(), shop.http.forAccount('m-1').post(FIND, {})];
    for (const call of later) expect(await failureOf(call)).toMatchObject({ code: 'shutting_down' });
    expect(shop.xpay.requests()).toBe(2);
    await until(() => shop.clock.pendingTimers === 0);
  });
});

describe('an account that does not exist', () => {
  it.each<[string, unknown]>([
    ['without credentials', 'nobody'],
    ['that is empty', ''],
    ['of more than 4,096 bytes', 'é'.repeat(2_049)],
    ['with a lone surrogate', '\ud800'],
    ['that is undefined', undefined],
    ['that is an array', ['m-1']],
    ['that is an object', { toString: () => 'm-1' }],
    ['that is an object without a text', { toString: 1 }],
    ['that is an object without a prototype', Object.create(null)],
    ['that is a symbol', Symbol('m-1')],
    ['that is the name of a property of every object', '__proto__'],
  ])('M2 · an id %s fails with 404 unknown_account', async (_, id) => {
    await using shop = await startShop(IDS);
    const account = shop.tokens.forAccount(id as string);
    expect(await failureOf(account.getToken())).toMatchObject({ code: 'unknown_account', status: 404 });
    expect(await failureOf(shop.http.forAccount(id as string).post(FIND, {}))).toMatchObject({
      code: 'unknown_account',
    });
    expect(account.peek()).toBeUndefined();
    expect(account.status()).toMatchObject({ state: 'none', failures: 0, lastError: undefined });
    expect([shop.xpay.requests(), shop.events, shop.lines.filter((line) => /token/i.test(line))]).toEqual([0, [], []]);
  });

  it('M2 · null counts as undefined, and an account that appears is used at once', async () => {
    await using shop = await startShop(IDS, { credentials: (id) => shop.known.get(id) ?? (null as never) });
    shop.known.delete('m-1');
    expect(await failureOf(shop.tokens.forAccount('m-1').getToken())).toMatchObject({ code: 'unknown_account' });
    shop.known.set('m-1', merchant('m-1'));
    await expect(shop.tokens.forAccount('m-1').getToken()).resolves.toBeDefined();
  });

  it.each([
    ['without a store', () => undefined],
    ['with a store', (clock: ManualClock) => new MemoryStore(clock)],
  ])('M2 · the wait for the credentials ends after token.deadlineMs, %s', async (_, storeOf) => {
    const clock = new ManualClock();
    const [store, never] = [storeOf(clock), () => new Promise<never>(() => undefined)];
    const options = { clock, token: { deadlineMs: 4_000 }, ...(store && { store }) };
    await using shop = await startShop(IDS, { credentials: never }, { ...options, credentials: never });
    const waits = [shop.tokens.forAccount('m-1'), shop.tokens].map((tokens) => failureOf(tokens.getToken()));
    const startedAt = clock.monotonic();
    const failures = await pumped(clock, Promise.all(waits), 100);
    expect(clock.monotonic() - startedAt).toBe(4_000);
    for (const failure of failures) {
      expect(failure.code).toBe('configuration');
      expect(failure.message).toMatch(/returned nothing within 4000 ms/);
    }
  });

  it('M2 · the token of an account that was removed is not returned after its renewal was due', async () => {
    await using shop = await startShop(IDS);
    const account = shop.tokens.forAccount('m-1');
    await account.getToken();
    shop.known.delete('m-1');
    await shop.clock.advance(0.76 * HOUR_MS);
    await account.getToken();
    await until(() => account.peek() === undefined);
    expect(await failureOf(account.getToken())).toMatchObject({ code: 'unknown_account' });
    expect(shop.logins()).toBe(1);
  });

  it('M2 · unknown ids evict no token and no backoff', async () => {
    await using shop = await startShop(['m-1', 'wrong'], { maxEntries: 2 });
    shop.known.set('wrong', { ...merchant('wrong'), secretKey: 'a-wrong-key' });
    await shop.tokens.forAccount('m-1').getToken();
    await failureOf(shop.tokens.forAccount('wrong').getToken());
    await Promise.all(
      Array.from({ length: 10_500 }, (_, at) => failureOf(shop.tokens.forAccount(`guess-${at}`).getToken())),
    );
    expect(shop.tokens.forAccount('m-1').peek()).toBeDefined();
    expect(await failureOf(shop.tokens.forAccount('wrong').getToken())).toMatchObject({ code: 'credentials_rejected' });
    expect([shop.logins('m-1'), shop.logins('wrong')]).toEqual([1, 1]);
  });

  it('M2 · an HttpException of the app reaches the caller unchanged, and delays no later call', async () => {
    const refusal = new ForbiddenException('This merchant is suspended');
    let current: HttpException | undefined = refusal;
    await using shop = await startShop(IDS, {
      credentials: async (id) => {
        if (current !== undefined) throw current;
        return shop.known.get(id);
      },
    });
    await expect(shop.tokens.forAccount('m-1').getToken()).rejects.toBe(refusal);
    await expect(shop.http.forAccount('m-1').post(FIND, {})).rejects.toBe(refusal);
    current = new XPayAuthError('overloaded', 'of our own');
    await expect(shop.tokens.forAccount('m-1').getToken()).rejects.toBe(current);
    current = undefined;
    await expect(shop.tokens.forAccount('m-1').getToken()).resolves.toBeDefined();
    expect(shop.events.map(({ type }) => type)).toEqual(['obtained']);
  });

  it('M2 · while a token is usable, an HttpException of the app is a failed renewal with a backoff', async () => {
    let reads = 0;
    let isSuspended = false;
    await using shop = await startShop(IDS, {
      credentials: (id) => {
        reads++;
        if (isSuspended) throw new ForbiddenException('suspended');
        return shop.known.get(id);
      },
    });
    const account = shop.tokens.forAccount('m-1');
    await account.getToken();
    isSuspended = true;
    await shop.clock.advance(0.76 * HOUR_MS);
    expect(await served(1, () => account.getToken())).toBe(1);
    await until(() => shop.events.length === 2);
    expect(await served(200, () => account.getToken())).toBe(200);
    expect(reads).toBe(2);
    expect(shop.events[1]).toMatchObject({ type: 'refresh-failed', code: 'configuration', account: 'm-1' });
    await expect(account.refresh()).rejects.toThrow(ForbiddenException);
    await shop.clock.advance(HOUR_MS);
    await expect(account.getToken()).rejects.toThrow(ForbiddenException);
    isSuspended = false;
    await expect(account.getToken()).resolves.toBeDefined();
  });

  it('M2 · another error of the function is a configuration error that shows its name and code, and neither id nor message', async () => {
    await using shop = await startShop(IDS, {
      credentials: (id) => {
        throw Object.assign(new Error(`no row for ${id}`), { code: 'ENOENT' });
      },
    });
    const failure = await failureOf(shop.tokens.forAccount('m-1').getToken());
    expect(failure).toMatchObject({ code: 'configuration', status: 500 });
    expect(failure.message).toBe('The option `accounts.credentials` could not be read (Error ENOENT)');
  });

  it.each<[string, unknown]>([
    ['a text', 'm-1:key'],
    ['an empty key', { username: 'm-1', secretKey: '' }],
  ])('M2 · a function that returns %s is a configuration error', async (_, given) => {
    await using shop = await startShop(IDS, { credentials: () => given as Credentials });
    const failure = await failureOf(shop.tokens.forAccount('m-1').getToken());
    expect(failure).toMatchObject({ code: 'configuration' });
    expect(failure.message).toContain('`accounts.credentials`');
  });

  it('M2 · an account whose function throws only when the upstream has rejected it is not tried again at once', async () => {
    let reads = 0;
    await using shop = await startShop(IDS, {
      credentials: (id) => {
        if (reads++ % 2 === 1) throw new ForbiddenException();
        return { ...merchant(id), secretKey: 'a-wrong-key' };
      },
    });
    await served(100, () => shop.tokens.forAccount('m-1').getToken());
    expect(shop.logins()).toBe(1);
  });

  describe.each(platforms)('over HTTP on %s', (platform) => {
    it('M2 · a route answers 404 unknown_account for an unknown id, and with the status of the app for its exception', async () => {
      await using shop = await startShop(IDS);
      const { xpay, clock, known } = shop;
      const credentials = (id: string): Credentials | undefined => {
        if (id === 'suspended') throw new ForbiddenException('This merchant is suspended');
        return known.get(id);
      };
      await using app = await startApp(platform, {
        imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, accounts: { credentials } })],
        controllers: [MerchantsController],
      });
      const answers = await Promise.all(
        ['m-1', 'nobody', 'suspended'].map(async (id) => {
          const answer = await app.fetch(`/merchants/${id}/wallets`);
          return [answer.status, await answer.json()];
        }),
      );
      expect(answers).toEqual([
        [200, { owner: merchant('m-1').username }],
        [404, { statusCode: 404, error: 'Not Found', message: 'Not found', errorCode: 'unknown_account' }],
        [403, { statusCode: 403, error: 'Forbidden', message: 'This merchant is suspended' }],
      ]);
    });
  });
});

@Public()
@Controller('merchants')
class MerchantsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Get(':id/wallets')
  async owner(@Param('id') id: string): Promise<unknown> {
    const [wallet] = await this.xpay.forAccount(id).post<{ username: string }[]>(FIND, { page: 1 });
    return { owner: wallet?.username };
  }
}

describe('an evicted account', () => {
  it('M3 · obtains a token again when it is next used, through the same object', async () => {
    await using shop = await startShop(IDS, { maxEntries: 2 });
    const accounts = IDS.map((id) => shop.tokens.forAccount(id));
    for (const account of accounts) await account.getToken();
    expect(accounts.map((account) => account.peek() !== undefined)).toEqual([false, false, false, true, true]);
    expect(accounts[0]?.status()).toMatchObject({ state: 'none', expiresAt: undefined });
    await accounts[0]?.getToken();
    expect(accounts.map((account) => account.peek() !== undefined)).toEqual([true, false, false, false, true]);
    expect(IDS.map((id) => shop.logins(id))).toEqual([2, 1, 1, 1, 1]);
  });

  it('M3 · loses no attempt in progress', async () => {
    await using shop = await startShop(IDS, { maxEntries: 1 });
    const slow = shop.tokens.forAccount('m-1');
    await slow.getToken();
    await shop.clock.advance(0.76 * HOUR_MS);
    shop.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    await slow.getToken();
    await shop.xpay.waitForRequests(2);
    await shop.tokens.forAccount('m-2').getToken();
    const joined = slow.getToken();
    await shop.clock.advance(1_000);
    await joined;
    await until(() => shop.events.length === 3);
    expect(shop.logins('m-1')).toBe(2);
    expect(slow.peek()).toBeDefined();
  });

  it('M3 · a login in progress is shared although more accounts than maxEntries log in at once', async () => {
    await using shop = await startShop(IDS, { maxEntries: 1 });
    for (const _ of IDS) shop.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    const all = [...IDS, ...IDS, ...IDS].map((id) => shop.tokens.forAccount(id).getToken());
    await shop.xpay.waitForRequests(IDS.length);
    await shop.clock.advance(1_000);
    const tokens = await Promise.all(all);
    expect([new Set(tokens).size, shop.logins()]).toEqual([IDS.length, IDS.length]);
  });

  it('M3 · keeps its backoff: rotating ids cause one login of each rejected account in the period', async () => {
    await using shop = await startShop(IDS, { maxEntries: 1 });
    for (const id of IDS) shop.known.set(id, { ...merchant(id), secretKey: 'a-wrong-key' });
    for (let round = 0; round < 20; round++) {
      for (const id of IDS) {
        const failure = await failureOf(shop.tokens.forAccount(id).getToken());
        expect(failure).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 1_000 });
      }
    }
    expect(IDS.map((id) => shop.logins(id))).toEqual([1, 1, 1, 1, 1]);
    await shop.clock.advance(1_000);
    expect(await failureOf(shop.tokens.forAccount('m-1').getToken())).toMatchObject({ retryAfterMs: 2_000 });
  });

  it('M3 · keeps the failure of a renewal', async () => {
    await using shop = await startShop(IDS, { maxEntries: 1 });
    const account = shop.tokens.forAccount('m-1');
    await account.getToken();
    shop.xpay.setSecret(merchant('m-1').username, 'changed-by-others');
    await failureOf(account.refresh());
    await shop.tokens.forAccount('m-2').getToken();
    expect(account.status()).toMatchObject({ state: 'none', failures: 1, lastError: 'credentials_rejected' });
    expect(await failureOf(account.getToken())).toMatchObject({ code: 'credentials_rejected' });
    expect(shop.logins('m-1')).toBe(2);
  });

  it('M3 · keeps its rejected tokens: renewals because of rejections stay 5 s apart', async () => {
    await using shop = await startShop(IDS, { maxEntries: 1 });
    const account = shop.tokens.forAccount('m-1');
    await account.invalidate(await account.getToken());
    await account.invalidate(await account.getToken());
    await shop.tokens.forAccount('m-2').getToken();
    expect(await failureOf(account.getToken())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 5_000 });
    expect(shop.logins('m-1')).toBe(2);
  });
});

const digest = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 12);

describe('the id of an account', () => {
  it('M5 · is in the log only as the start of its SHA-256', async () => {
    await using shop = await startShop(IDS);
    await shop.tokens.forAccount('m-1').getToken();
    shop.known.set('m-2', { ...merchant('m-2'), secretKey: 'a-wrong-key' });
    await failureOf(shop.tokens.forAccount('m-2').getToken());
    const lines = shop.lines.filter((line) => /access token/i.test(line));
    expect(lines).toEqual([
      expect.stringMatching(`^debug Access token of account ${digest('m-1')} obtained`),
      expect.stringMatching(`^error No new access token of account ${digest('m-2')}: credentials_rejected`),
    ]);
    expect(shop.lines.join('\n')).not.toMatch(/m-[12]/);
  });

  it('M5 · is in no message of an error', async () => {
    await using shop = await startShop(['merchant-31415']);
    shop.known.set('merchant-31415', { username: 'somebody', secretKey: 'a-wrong-key' });
    const failures = [
      await failureOf(shop.tokens.forAccount('merchant-27182').getToken()),
      await failureOf(shop.tokens.forAccount('merchant-31415').getToken()),
    ];
    expect(inspect(failures, { depth: Infinity, showHidden: true })).not.toMatch(/merchant-\d/);
  });
});
