import { describe, expect, it } from '@jest/globals';
import { type InboundApp, type InboundSetting, ada, asAda, root, startInbound, wrong } from '../support/inbound-app.js';
import { type Platform, basic, platforms } from '../support/start-app.js';
import { settled } from '../support/settled.js';

const SECOND = 1_000;
const tooManyRequests = { kind: 'rateLimited', retryAfter: 60 } as const;
const hour = 3_600_000;
const limitOf = (attempts: number) => ({ attempts, windowMs: hour });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

const newcomers = Array.from({ length: 40 }, (_, i) => ({ username: `newcomer-${i}@example.test`, secretKey: 'key' }));
const asNewcomer = (i: number) => from(`198.51.100.${i}`, basic(`newcomer-${i}@example.test`, 'key'));

function from(address: string, headers: Record<string, string>): Record<string, string> {
  return { ...headers, 'x-forwarded-for': address };
}

function start(platform: Platform, options: InboundSetting['options'] = {}): Promise<InboundApp> {
  return startInbound(platform, { options, trustProxy: true, accounts: [ada, root, ...newcomers] });
}

/** Sends one guess for each of these names, to which the upstream responds 429, from alternating addresses. */
async function spray(app: InboundApp, names: number, addresses: readonly string[]): Promise<void> {
  for (let i = 0; i < names; i++) {
    const username = `sprayed-${i}@example.test`;
    app.xpay.faults.next(tooManyRequests, { username });
    const address = addresses[i % addresses.length] ?? '';
    const headers = basic(username, 'guess');
    expect(await app.status('/me', address === '' ? headers : from(address, headers))).toBe(503);
  }
}

const three = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];

describe.each(platforms)('an upstream that responds 429 for one username, on %s', (platform) => {
  it('D3 · an attacker who guesses once a minute blocks no other caller, cached or new', async () => {
    await using app = await start(platform);
    app.xpay.faults.always(tooManyRequests, { username: root.username });
    const cached = from('192.0.2.9', asAda);
    expect(await app.status('/me', cached)).toBe(200);
    const statuses: number[] = [];
    for (let minute = 0; minute < 5; minute++) {
      for (let i = 0; i < 4; i++) {
        expect(await app.status('/me', from('192.0.2.66', basic(root.username, `guess-${minute}-${i}`)))).toBe(503);
      }
      for (let i = 0; i < 6; i++) {
        const step = minute * 6 + i;
        statuses.push(await app.status('/me', asNewcomer(step)), await app.status('/me', cached));
        // Renewed after three quarters of 60 s, so at every fifth of its requests.
        await verifiedTimes(app, 1 + (step + 1) + Math.floor(step / 5));
        await app.clock.advance(10 * SECOND);
      }
    }
    expect([statuses.filter((status) => status === 200).length, statuses.length]).toEqual([60, 60]);
  });

  it('D3 · the cooldown of a username ends with Retry-After, and applies to each spelling of it', async () => {
    await using app = await start(platform);
    app.xpay.faults.next(tooManyRequests);
    expect(await app.status('/me', from('192.0.2.1', wrong()))).toBe(503);
    await app.clock.advance(59 * SECOND);
    const answer = await app.fetch('/me', { headers: from('192.0.2.9', basic(ada.username.toUpperCase(), 'guess')) });
    expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toMatchObject([
      503,
      '1',
      { errorCode: 'upstream_rate_limited' },
    ]);
    expect(app.asked()).toBe(1);
    await app.clock.advance(SECOND);
    expect(await app.status('/me', from('192.0.2.9', asAda))).toBe(200);
  });

  it('D3 · a 429 without Retry-After causes a cooldown of one second, which the response to the caller states', async () => {
    await using app = await start(platform);
    app.xpay.faults.next({ kind: 'rateLimited' });
    const answer = await app.fetch('/me', { headers: asAda });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect([await app.status('/me', asAda), app.asked()]).toEqual([503, 1]);
    await app.clock.advance(SECOND);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('D3 · a guess to which the upstream responds 429 stays counted', async () => {
    await using app = await start(platform, { attempts: { ...roomy, perUserAndAddress: limitOf(3) } });
    app.xpay.faults.always(tooManyRequests);
    const statuses: number[] = [];
    for (let i = 0; i < 10; i++) {
      statuses.push(await app.status('/me', from('192.0.2.66', wrong(i))));
      await app.clock.advance(60 * SECOND);
    }
    expect([app.asked(), statuses]).toEqual([3, [503, 503, 503, 429, 429, 429, 429, 429, 429, 429]]);
  });

  it('D3 · a 429 for everyone does not use up the budget of an address that many callers share', async () => {
    const crowd = Array.from({ length: 120 }, (_, i) => ({ username: `crowd-${i}@example.test`, secretKey: 'key' }));
    await using app = await startInbound(platform, { trustProxy: true, accounts: crowd });
    const request = ({ username, secretKey }: (typeof crowd)[number]): Promise<number> =>
      app.status('/me', from('192.0.2.1', basic(username, secretKey)));
    const statuses = async (): Promise<number[]> => {
      const all: number[] = [];
      for (const caller of crowd) all.push(await request(caller));
      return [...new Set(all)];
    };
    app.xpay.faults.always({ kind: 'rateLimited', retryAfter: 2 });
    expect(await statuses()).toEqual([503]);
    app.xpay.faults.clear();
    await app.clock.advance(2 * SECOND);
    expect(await statuses()).toEqual([200]);
  });

  it('D3 · a 429 for everyone does not lock out a user who was authenticated from this address', async () => {
    await using app = await start(platform, { attempts: { ...roomy, perUserAndAddress: limitOf(1) } });
    expect(await app.status('/me', from('192.0.2.1', asAda))).toBe(200);
    await app.clock.advance(hour / 2);
    app.xpay.faults.next(tooManyRequests);
    expect(await app.status('/me', from('192.0.2.1', asAda))).toBe(503);
    await app.clock.advance(60 * SECOND);
    expect(await app.status('/me', from('192.0.2.1', wrong()))).toBe(401);
    await app.clock.advance(hour);
    expect(await app.status('/me', from('192.0.2.1', asAda))).toBe(200);
  });

  it('D3 · the same credentials are counted once however often the upstream responds 429, and a cooldown costs nothing', async () => {
    await using app = await start(platform, { attempts: { ...roomy, perUserAndAddress: limitOf(2) } });
    app.xpay.faults.next(tooManyRequests, { times: 5 });
    for (let i = 0; i < 5; i++) {
      for (let again = 0; again < 5; again++) expect(await app.status('/me', asAda)).toBe(503);
      await app.clock.advance(60 * SECOND);
    }
    expect(app.asked()).toBe(5);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('D3 · a cached caller is renewed while guesses keep the username in a cooldown', async () => {
    await using app = await start(platform);
    expect(await app.status('/me', asAda)).toBe(200);
    for (let i = 0; i < 4; i++) {
      await app.clock.advance(44 * SECOND);
      app.xpay.faults.next(tooManyRequests);
      expect(await app.status('/me', from('192.0.2.66', wrong(i)))).toBe(503);
      await app.clock.advance(SECOND);
      const calls = app.asked();
      expect(await app.status('/me', asAda)).toBe(200);
      await app.xpay.waitForRequests(calls + 1);
      await verifiedTimes(app, i + 2);
    }
  });
});

describe.each(platforms)('an upstream that responds 429 for many usernames, on %s', (platform) => {
  it('D3 · after five names from three addresses within 10 s one check a second passes', async () => {
    await using app = await start(platform);
    await spray(app, 5, three);
    app.xpay.faults.always(tooManyRequests);
    const calls = app.asked();
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 4; i++) expect(await app.status('/me', asNewcomer(second * 4 + i))).toBe(503);
      expect(app.asked() - calls).toBe(second);
      await app.clock.advance(SECOND);
    }
    const turnedAway = await app.fetch('/me', { headers: asNewcomer(20) });
    expect([turnedAway.status, app.asked() - calls]).toEqual([503, 5]);
    const held = await app.fetch('/me', { headers: asNewcomer(21) });
    expect([held.status, await held.json(), app.asked() - calls]).toMatchObject([
      503,
      { errorCode: 'upstream_rate_limited' },
      5,
    ]);
    expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it.each([
    ['four names', 4, three, 0],
    ['two addresses', 8, ['192.0.2.1', '192.0.2.2'], 0],
    ['one IPv6 subscriber and another address', 8, ['2001:db8::1', '2001:db8::2', '192.0.2.2'], 0],
    ['a period longer than 10 s', 8, three, 3 * SECOND],
  ] as const)('D3 · %s do not start a cooldown for all', async (_what, names, addresses, everyMs) => {
    await using app = await start(platform);
    for (let i = 0; i < names; i++) {
      app.xpay.faults.next(tooManyRequests);
      const address = addresses[i % addresses.length] ?? '';
      expect(await app.status('/me', from(address, basic(`sprayed-${i}`, 'guess')))).toBe(503);
      await app.clock.advance(everyMs);
    }
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
  });

  it('D3 · callers whose address is unknown count as one address', async () => {
    // Behind an untrusted proxy no address is known.
    await using app = await startInbound(platform, { accounts: newcomers });
    await spray(app, 8, three);
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
  });

  it('D3 · any other response ends the cooldown of all', async () => {
    await using app = await start(platform);
    await spray(app, 4, three);
    expect(await app.status('/me', asNewcomer(20))).toBe(200);
    await spray(app, 5, three.slice(0, 1));
    expect(await app.status('/me', asNewcomer(0))).toBe(503);
    await app.clock.advance(SECOND);
    expect(await app.status('/me', from('192.0.2.66', basic('sprayed-9', 'guess')))).toBe(401);
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
  });

  it('D3 · the one check a second is reserved for an address with a recent success', async () => {
    await using app = await start(platform, { verification: { periodMs: SECOND } });
    const trusted = from('192.0.2.9', asAda);
    expect(await app.status('/me', trusted)).toBe(200);
    await app.clock.advance(2 * SECOND);
    await spray(app, 5, three);
    app.xpay.faults.always(tooManyRequests, { username: 'newcomer-0@example.test' });
    const turnedAway = await app.fetch('/me', { headers: trusted });
    expect([turnedAway.status, turnedAway.headers.get('retry-after')]).toEqual([503, '1']);
    await app.clock.advance(SECOND);
    const calls = app.asked();
    for (let i = 0; i < 20; i++) expect(await app.status('/me', asNewcomer(i))).toBe(503);
    expect([await app.status('/me', trusted), app.asked() - calls]).toEqual([200, 1]);
  });

  it('D3 · cached callers are accepted, because their renewals pass', async () => {
    await using app = await start(platform);
    const cached = newcomers.slice(0, 10).map((_, i) => asNewcomer(i));
    for (const headers of cached) expect(await app.status('/me', headers)).toBe(200);
    await app.clock.advance(44 * SECOND);
    await spray(app, 5, three);
    await app.clock.advance(SECOND);
    const calls = app.asked();
    for (const headers of cached) expect(await app.status('/me', headers)).toBe(200);
    await app.xpay.waitForRequests(calls + cached.length);
    await verifiedTimes(app, 2 * cached.length);
    await app.clock.advance(30 * SECOND);
    for (const headers of cached) expect(await app.status('/me', headers)).toBe(200);
  });
});

describe.each(platforms)('an upstream that responds 503 with Retry-After, on %s', (platform) => {
  const unavailable = { kind: 'unavailable', retryAfter: 60 } as const;

  it('D3 · a caller from an address with a recent success passes once a second, and ends the cooldown of all', async () => {
    await using app = await start(platform, { verification: { periodMs: SECOND } });
    const trusted = from('192.0.2.9', asAda);
    expect(await app.status('/me', trusted)).toBe(200);
    await app.clock.advance(2 * SECOND);
    app.xpay.faults.always(unavailable, { username: root.username });
    expect(await app.status('/me', from('192.0.2.66', basic(root.username, 'guess')))).toBe(503);
    await app.clock.advance(SECOND);
    expect(await app.status('/me', asNewcomer(0))).toBe(503);
    expect(app.asked()).toBe(2);
    expect(await app.status('/me', trusted)).toBe(200);
    expect(await app.status('/me', asNewcomer(0))).toBe(200);
  });

  it('D3 · a cached caller is renewed, one call a second', async () => {
    await using app = await start(platform);
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
    await app.clock.advance(44 * SECOND);
    app.xpay.faults.always(unavailable);
    expect(await app.status('/me', from('192.0.2.66', wrong()))).toBe(503);
    await app.clock.advance(SECOND);
    const calls = app.asked();
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
    await app.xpay.waitForRequests(calls + 1);
    await undecidedTimes(app, 1 + 10);
    expect(app.asked() - calls).toBe(1);
    app.xpay.faults.clear();
    await app.clock.advance(8 * SECOND);
    for (let i = 0; i < 10; i++) expect(await app.status('/me', asNewcomer(i))).toBe(200);
    await verifiedTimes(app, 11);
    expect(await app.status('/me', asAda)).toBe(200);
  });
});

function verifiedTimes(app: InboundApp, times: number): Promise<void> {
  return settled(() => app.events.filter(({ type }) => type === 'verified').length >= times);
}

function undecidedTimes(app: InboundApp, times: number): Promise<void> {
  return settled(() => app.events.filter(({ type }) => type === 'undecided').length >= times);
}
