import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { KeyedDigest } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { UpstreamCooldowns } from './upstream-cooldowns.js';

const limited = (retryAfterMs?: number) => new XPayAuthError('upstream_rate_limited', '429', { retryAfterMs });
const unavailable = (retryAfterMs?: number) => new XPayAuthError('upstream_unavailable', '503', { retryAfterMs });

let clock: ManualClock;
let cooldowns: UpstreamCooldowns;
beforeEach(() => {
  clock = new ManualClock();
  cooldowns = new UpstreamCooldowns({ clock, digest: new KeyedDigest() });
});

const by = (username: string, address?: string) => ({ username, address });
/** Ms that this guess has to wait; 0: it may call the upstream. */
const waitOf = async (username: string, { trusted = false } = {}): Promise<number> =>
  (await cooldowns.objectionToGuess(by(username), () => Promise.resolve(trusted)))?.retryAfterMs ?? 0;
const renewalWait = (): number => cooldowns.objectionToRenewal()?.retryAfterMs ?? 0;

/** 429s for so many user names, from three addresses in turn. */
function limitMany(usernames = 5, retryAfterMs = 60_000): void {
  for (let i = 0; i < usernames; i++) cooldowns.failed(limited(retryAfterMs), by(`limited-${i}`, `192.0.2.${i % 3}`));
}

describe('the cooldown of a user name', () => {
  it.each([
    ['no Retry-After', undefined, 1_000],
    ['0 s', 0, 1_000],
    ['30 s', 30_000, 30_000],
    ['a day', 86_400_000, 60_000],
  ])('D3 · lasts, after %s, for at least 1 s and at most 60 s', async (_what, retryAfterMs, lastsMs) => {
    cooldowns.failed(limited(retryAfterMs), by('ada'));
    expect([await waitOf('ada'), await waitOf('Ádá '), await waitOf('bob')]).toEqual([lastsMs, lastsMs, 0]);
    await clock.advance(lastsMs - 1);
    expect(await waitOf('ada')).toBe(1);
    await clock.advance(1);
    expect(await waitOf('ada')).toBe(0);
  });

  it('D3 · is not shortened by a later 429', async () => {
    cooldowns.failed(limited(30_000), by('ada'));
    cooldowns.failed(limited(1_000), by('ada'));
    expect(await waitOf('ada')).toBe(30_000);
  });

  it('D3 · holds back no renewal, whose answer ends it', async () => {
    cooldowns.failed(limited(30_000), by('ada'));
    expect(renewalWait()).toBe(0);
    cooldowns.answered(by('ada'));
    expect(await waitOf('ada')).toBe(0);
  });

  it('D3 · is kept for the latest 10,000 user names', async () => {
    for (let i = 0; i <= 10_000; i++) cooldowns.failed(limited(60_000), by(`user-${i}`));
    expect([await waitOf('user-0'), await waitOf('user-1'), await waitOf('user-10000')]).toEqual([0, 60_000, 60_000]);
  });
});

describe('the cooldown of all', () => {
  it('D3 · begins with 429s for five user names from three addresses within 10 s', async () => {
    limitMany(4);
    expect(await waitOf('ada')).toBe(0);
    await clock.advance(10_000);
    cooldowns.failed(limited(60_000), by('limited-4', '192.0.2.1'));
    expect(await waitOf('ada')).toBe(60_000);
  });

  it.each([
    ['one user name from five addresses', () => [1, 1, 1, 1, 1].map((i, at) => by(`name-${i}`, `192.0.2.${at}`))],
    ['two addresses', () => [1, 2, 3, 4, 5].map((i) => by(`name-${i}`, `192.0.2.${i % 2}`))],
    ['two addresses, one of them unknown', () => [1, 2, 3, 4, 5].map((i) => by(`n-${i}`, i > 2 ? '::1' : undefined))],
  ])('D3 · does not begin with %s', async (_what, sources) => {
    for (const source of sources()) cooldowns.failed(limited(60_000), source);
    expect(await waitOf('ada')).toBe(0);
  });

  it('D3 · does not begin with 429s over more than 10 s', async () => {
    limitMany(4);
    await clock.advance(10_001);
    cooldowns.failed(limited(60_000), by('limited-4', '192.0.2.1'));
    expect(await waitOf('ada')).toBe(0);
  });

  it('D3 · lets one guess a second pass, and ends with Retry-After', async () => {
    limitMany();
    await clock.advance(999);
    expect(await waitOf('ada')).toBe(59_001);
    await clock.advance(1);
    expect([await waitOf('ada'), await waitOf('bob')]).toEqual([0, 59_000]);
    await clock.advance(59_000);
    expect([await waitOf('ada'), await waitOf('bob')]).toEqual([0, 0]);
  });

  it('D3 · keeps the next guess for a trusted address that was turned away, for a second', async () => {
    limitMany();
    await clock.advance(500);
    expect(await waitOf('ada', { trusted: true })).toBe(500);
    await clock.advance(500);
    expect(await waitOf('bob')).toBe(59_000);
    expect([await waitOf('ada', { trusted: true }), await waitOf('eve', { trusted: true })]).toEqual([0, 1_000]);
    await clock.advance(1_999);
    expect(await waitOf('bob')).toBeGreaterThan(0);
    await clock.advance(1);
    expect(await waitOf('bob')).toBe(0);
  });

  it('D3 · holds back no renewal', async () => {
    limitMany();
    expect(Array.from({ length: 100 }, renewalWait)).toEqual(Array(100).fill(0));
    expect(await waitOf('ada')).toBe(60_000);
  });

  it.each([
    ['an acceptance or a refusal', () => cooldowns.answered(by('ada'))],
    ['an answer that cannot be read', () => cooldowns.failed(new XPayAuthError('upstream_malformed', ''), by('ada'))],
    ["the upstream's own error", () => cooldowns.failed(new XPayAuthError('upstream_business_error', ''), by('ada'))],
  ])('D3 · ends with %s, and begins again with five more user names', async (_what, answer) => {
    limitMany();
    answer();
    expect([await waitOf('bob'), await waitOf('eve'), await waitOf('limited-1')]).toEqual([0, 0, 60_000]);
    limitMany(4);
    expect(await waitOf('bob')).toBe(0);
    limitMany(5);
    expect(await waitOf('bob')).toBe(60_000);
  });

  it.each(['upstream_timeout', 'upstream_unavailable', 'overloaded', 'shutting_down'] as const)(
    'D3 · does not end with %s, which is no answer',
    async (code) => {
      limitMany();
      cooldowns.failed(new XPayAuthError(code, ''), by('ada'));
      expect(await waitOf('bob')).toBe(60_000);
    },
  );
});

describe('a 503 with Retry-After', () => {
  it('D3 · lets one renewal, or one guess from a trusted address, pass a second, and no other', async () => {
    cooldowns.failed(unavailable(30_000), by('ada'));
    expect([await waitOf('bob'), renewalWait()]).toEqual([30_000, 1_000]);
    await clock.advance(1_000);
    expect([await waitOf('bob'), renewalWait(), await waitOf('bob', { trusted: true })]).toEqual([29_000, 0, 1_000]);
    await clock.advance(1_000);
    expect([await waitOf('bob', { trusted: true }), renewalWait()]).toEqual([0, 1_000]);
  });

  it('D3 · stops nothing when it does not say when to come back', async () => {
    cooldowns.failed(unavailable(), by('ada'));
    expect([await waitOf('ada'), renewalWait()]).toEqual([0, 0]);
  });

  it('D3 · is over with any other answer, a 429 included', async () => {
    cooldowns.failed(unavailable(30_000), by('ada'));
    cooldowns.failed(limited(10_000), by('bob'));
    expect([await waitOf('ada'), await waitOf('bob')]).toEqual([0, 10_000]);
  });
});
