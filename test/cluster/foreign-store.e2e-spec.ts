import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ADA, APP, InstanceFactory, logins } from '../support/cluster.js';
import { basic } from '../support/start-app.js';

const CALLS = [
  'read',
  'write',
  'discard',
  'acquire',
  'count',
  'uncount',
  'append',
  'readLog',
  'renewEpoch',
  'publish',
] as const;

let clock: ManualClock;
let xpay: XPayEmulator;

beforeEach(async () => {
  clock = new ManualClock();
  xpay = await startXPayEmulator({ accounts: [APP, ADA], clock, tokenLifeMs: 3_600_000 });
});
afterEach(() => xpay[Symbol.asyncDispose]());

/** A store of another package, all of whose calls behave like this. */
function foreignStore(call: () => Promise<never>): Store {
  return Object.assign(new MemoryStore(clock), Object.fromEntries(CALLS.map((name) => [name, call])));
}

/** Moves the clock until the promise settles. Returns its value or error, and the ms that this took. */
async function settled<T>(promise: Promise<T>): Promise<{ readonly outcome: T | Error; readonly tookMs: number }> {
  const startedAt = clock.monotonic();
  const outcomes: (T | Error)[] = [];
  void promise.then(
    (value) => outcomes.push(value),
    (thrown: Error) => outcomes.push(thrown),
  );
  while (outcomes.length === 0 && clock.monotonic() - startedAt < 60_000) await clock.advance(100);
  return { outcome: outcomes[0] ?? new Error('it did not settle'), tookMs: clock.monotonic() - startedAt };
}

describe('E9 · a custom store that fails', () => {
  it.each([
    ['rejects with a foreign error', () => Promise.reject(new TypeError('db password is hunter2'))],
    [
      'throws a foreign error',
      () => {
        throw new TypeError('db password is hunter2');
      },
    ],
    ['never answers', () => new Promise<never>(() => undefined)],
    ['answers undefined', () => Promise.resolve(undefined as never)],
    ['answers null', () => Promise.resolve(null as never)],
    ['answers an empty object', () => Promise.resolve({} as never)],
    ['answers a text', () => Promise.resolve('hunter2' as never)],
  ] as const)('that %s: the upstream is called, and the store is named', async (_, call) => {
    const store = foreignStore(call);
    await using one = await new InstanceFactory(xpay, '', { clock }).boot({ store });
    const token = await settled(one.tokens.getToken());
    expect(token.outcome).toMatchObject({ value: expect.any(String) });
    expect(token.tookMs).toBeLessThanOrEqual(4_000);
    expect(logins(xpay)).toBe(1);
    expect((await settled(one.who(basic(ADA.username, ADA.secretKey).authorization))).outcome).toBe(ADA.username);
    const login = await settled(one.sessions.login(ADA));
    expect(login.outcome).toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('shared store'),
    });
    const named = one.lines.filter((line) => line.includes('shared store'));
    expect(named.length).toBeGreaterThan(0);
    expect(one.lines.join('\n')).not.toContain('hunter2');
  });

  it('that never answers costs one deadline at a time, and is back with its first answer', async () => {
    let hangs = true;
    const memory = new MemoryStore(clock);
    const calls = CALLS.map((name) => {
      const answer = (memory[name] as (...args: unknown[]) => Promise<unknown>).bind(memory);
      return [name, (...args: unknown[]) => (hangs ? new Promise(() => undefined) : answer(...args))];
    });
    const store = Object.assign(new MemoryStore(clock), Object.fromEntries(calls));
    await using one = await new InstanceFactory(xpay, '', { clock }).boot({ store });
    await settled(one.tokens.getToken());
    expect(one.tokens.status().store).toMatchObject({ state: 'away', reason: expect.stringContaining('no answer') });
    const startedAt = clock.monotonic();
    const logins = await settled(Promise.allSettled(Array.from({ length: 50 }, () => one.sessions.login(ADA))));
    expect(clock.monotonic() - startedAt).toBeLessThanOrEqual(4_000);
    expect(logins.outcome).toHaveLength(50);
    hangs = false;
    await clock.advance(5_000);
    expect(one.tokens.status().store).toMatchObject({ state: 'ready' });
    expect((await settled(one.sessions.login(ADA))).outcome).toMatchObject({ tokenType: 'Bearer' });
    expect(one.lines.filter((line) => line.includes('shared store'))).toEqual([
      expect.stringContaining('is away (no answer within 3000 ms)'),
      expect.stringContaining('is back'),
    ]);
  });

  it('a lease whose release rejects is no unhandled rejection', async () => {
    const store = new MemoryStore(clock);
    const acquire = store.acquire.bind(store);
    store.acquire = async (name, leaseMs) => {
      const lease = await acquire(name, leaseMs);
      return lease.kind === 'held' ? lease : { ...lease, release: () => Promise.reject(new TypeError('gone')) };
    };
    await using one = await new InstanceFactory(xpay, '', { clock }).boot({ store });
    await one.tokens.getToken();
    await clock.advance(10_000);
    expect(logins(xpay)).toBe(1);
  });
});
