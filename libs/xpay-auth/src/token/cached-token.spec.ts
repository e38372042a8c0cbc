import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { AccessToken } from '../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { Grant } from '../core/ports.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { CachedToken } from './cached-token.js';
import { createTokenChain } from './token-chain.js';

const LIFE_MS = 60_000;
const MARGIN_MS = 3_000;

/** Steps that may follow each other in any order. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('get' as const), callers: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('invalidate' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refresh' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 45_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('jump' as const), ms: fc.integer({ min: -1e7, max: 1e7 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('upstream' as const),
      mood: fc.constantFrom('well', 'slow', 'down', 'refuses', 'hangs', 'repeats itself'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rotate' as const) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Kind> ? Kind : never;

/** A token chain, its upstream of changing moods, and what must hold all the time. */
class Play {
  readonly clock = new ManualClock();
  readonly source: CachedToken;
  mood: 'well' | 'slow' | 'down' | 'refuses' | 'hangs' | 'repeats itself' = 'well';
  secretKey = 'k-0';
  readonly waiting: Promise<void>[] = [];
  readonly rejected = new Set<string>();
  rejectedAt = -Infinity;
  readonly codes = new Set<XPayAuthErrorCode>();
  readonly #endsAt = new Map<string, number>();
  #underWay = 0;
  #issued = 0;

  constructor() {
    this.source = createTokenChain({
      clock: this.clock,
      policy: {
        refreshAt: 0.7,
        backoffMs: { min: 1_000, max: 30_000 },
        rejectedRetryMs: { min: 1_000, max: 60_000 },
        fallbackLifeMs: 300_000,
        deadlineMs: 10_000,
      },
      credentials: () => Promise.resolve({ username: 'app@example.test', secretKey: this.secretKey }),
      authenticate: (_credentials, _purpose, signal) => this.#authenticate(signal),
      refresh: undefined,
      emit: () => undefined,
      random: () => 0.5,
      instrumentation: new Instrumentation(),
    });
  }

  /** A caller asks for a token, and checks the one that it gets. */
  ask(get: () => Promise<AccessToken>): void {
    this.waiting.push(this.#lookAt(get()));
  }

  async #lookAt(asked: Promise<AccessToken>): Promise<void> {
    let token: AccessToken;
    try {
      token = await asked;
    } catch (failure) {
      if (failure instanceof XPayAuthError) this.codes.add(failure.code);
      else expect(failure).toBe('left');
      return;
    }
    expect(this.rejected).not.toContain(token.value);
    expect(this.clock.monotonic()).toBeLessThan(this.#endsAt.get(token.value) ?? 0);
  }

  async #authenticate(signal: AbortSignal): Promise<Grant> {
    expect(++this.#underWay).toBe(1);
    try {
      if (this.mood === 'slow') await this.#pass(400, signal);
      if (this.mood === 'hangs') await this.#pass(1e9, signal);
      if (this.mood === 'down') throw new XPayAuthError('upstream_unavailable', 'down');
      if (this.mood === 'refuses') throw new XPayAuthError('invalid_credentials', 'no');
      if (this.mood !== 'repeats itself') this.#issued++;
      const value = `t-${this.#issued}`;
      // A new grant ends the rejection of a token after 5 s.
      if (this.clock.monotonic() >= this.rejectedAt + 5_000) this.rejected.delete(value);
      this.#endsAt.set(value, this.clock.monotonic() + LIFE_MS - MARGIN_MS + 1);
      const accessToken = new AccessToken(value, { expiresAt: this.clock.now() + LIFE_MS });
      return { accessToken, username: 'app@example.test', scopes: [], isAPI: true, upstreamNow: this.clock.now() };
    } finally {
      this.#underWay--;
    }
  }

  #pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.setTimer(resolve, ms);
      signal.addEventListener('abort', () => {
        cancel();
        reject(signal.reason as Error);
      });
    });
  }
}

async function perform(play: Play, action: Step): Promise<void> {
  switch (action.do) {
    case 'get':
      for (let i = 0; i < action.callers; i++) play.ask(() => play.source.get());
      break;
    case 'leave': {
      const leaving = new AbortController();
      play.ask(() => play.source.get(leaving.signal));
      leaving.abort('left');
      break;
    }
    case 'invalidate': {
      // A token that was handed out in this tick has to arrive before it can be rejected.
      await new Promise(setImmediate);
      const token = play.source.peek();
      if (token === undefined) break;
      play.rejected.add(token.value);
      play.rejectedAt = play.clock.monotonic();
      play.source.invalidate(token);
      break;
    }
    case 'refresh':
      play.ask(() => play.source.refresh());
      break;
    case 'pass':
      await play.clock.advance(action.ms);
      break;
    case 'jump':
      play.clock.stepWall(action.ms);
      break;
    case 'upstream':
      play.mood = action.mood;
      break;
    case 'rotate':
      play.secretKey = `${play.secretKey}+`;
      break;
  }
  const peeked = play.source.peek();
  if (peeked !== undefined) expect(play.rejected).not.toContain(peeked.value);
  play.source.status();
}

describe('CachedToken', () => {
  it('O3 O5 O7 O19 · never hands out an expired or rejected token, makes one request at a time, and ends, whatever happens', async () => {
    const own = /^(upstream_|credentials_rejected|shutting_down)/;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const play = new Play();
        for (const action of steps) await perform(play, action);
        play.source.stop();
        await Promise.all(play.waiting);
        expect([...play.codes].filter((code) => !own.test(code))).toEqual([]);
        expect(play.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('O9 · serves every caller a minute after the upstream has recovered, whatever happened before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const play = new Play();
        for (const action of steps) await perform(play, action);
        play.mood = 'well';
        await play.clock.advance(61_000);
        await expect(play.source.get()).resolves.toBeDefined();
        play.source.stop();
        await Promise.all(play.waiting);
      }),
      { numRuns: 200 },
    );
  });
});
