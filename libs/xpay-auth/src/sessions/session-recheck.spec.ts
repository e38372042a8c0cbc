import { describe, expect, it } from '@jest/globals';
import { Instrumentation } from '../core/instrumentation.js';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { Principal } from '../core/principal.js';
import { Revocations } from '../verification/upstream-check.js';
import { type AskedAt, SessionRecheck } from './session-recheck.js';
import type { SessionRecord } from './session-records.js';
import type { FoundSession } from '../cluster/shared-sessions.js';

const shared = { mark: { epoch: 'e', position: 0 }, userIndex: 'u', index: 'i', generation: 1, checkedAt: 0 };
const principal = new Principal({
  username: 'ada',
  scopes: [],
  isAPI: true,
  expiresAt: undefined,
  instance: 'default',
});
const known: SessionRecord = {
  principal,
  mark: 0,
  endsAt: 1e9,
  expiresAt: Infinity,
  seenAt: 0,
  token: undefined,
  shared,
};

/** A store that answers when told to, in front of it a process that knows this session. */
function stage(record: SessionRecord | undefined) {
  const clock = new ManualClock();
  const answers: Answer[] = [];
  const taken: [FoundSession | undefined, AskedAt][] = [];
  const read = (): Promise<FoundSession | undefined> => {
    const answer = new Answer();
    answers.push(answer);
    return answer.promise;
  };
  const alive = (): SessionRecord | undefined => record;
  const take = (_: string, found: FoundSession | undefined, asked: AskedAt): void => void taken.push([found, asked]);
  const listeners = new Set<(index: string, generation: number) => void>();
  const onEnded = (listener: (index: string, generation: number) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const recheck = new SessionRecheck({
    clock,
    sessions: { read, indexOf: () => 'i', onEnded },
    own: new Revocations(),
    alive,
    take,
    instrumentation: new Instrumentation(),
  });
  return { clock, answers, taken, recheck, listeners };
}

/** A promise that the test settles. */
class Answer {
  resolve!: (found: FoundSession | undefined) => void;
  reject!: (failure: Error) => void;
  readonly promise = new Promise<FoundSession | undefined>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Returns the outcome so far. */
async function outcome(asked: Promise<unknown>): Promise<unknown> {
  const settled = asked.then(
    (value) => value ?? 'nothing',
    (failure: Error) => failure.message,
  );
  return Promise.race([settled, new Promise((resolve) => setImmediate(resolve, 'waiting'))]);
}

describe('SessionRecheck', () => {
  it('D8 · a session that this process knows waits for the store, however slow it is', async () => {
    const { clock, recheck, answers, taken } = stage(known);
    const asked = recheck.run('key', 'token');
    await clock.advance(900);
    expect(await outcome(asked)).toBe('waiting');
    answers[0]?.resolve(undefined);
    await asked;
    expect(taken.map(([found]) => found)).toEqual([undefined]);
  });

  it('C3 · 60 s after it was last read, only the store can tell', async () => {
    const { clock, recheck, answers } = stage(known);
    await clock.advance(60_000);
    const asked = recheck.run('key', 'token');
    await clock.advance(1_000);
    expect(await outcome(asked)).toBe('waiting');
    answers[0]?.reject(new Error('the store is away'));
    expect(await outcome(asked)).toBe('the store is away');
  });

  it('C3 · a store that fails at once ends the wait at once', async () => {
    const { recheck, answers } = stage(known);
    const asked = recheck.run('key', 'token');
    expect(await outcome(asked)).toBe('waiting');
    answers[0]?.reject(new Error('the store is away'));
    expect(await outcome(asked)).toBe(known);
  });

  it('reads once for concurrent requests of a session', async () => {
    const { clock, recheck, answers, taken } = stage(known);
    const askedAt = clock.monotonic();
    const asked = [recheck.run('key', 'token'), recheck.run('key', 'token')];
    await outcome(Promise.resolve());
    answers[0]?.resolve(undefined);
    await Promise.all(asked);
    expect(answers).toHaveLength(1);
    expect(taken).toEqual([[undefined, { checkedAt: askedAt, mark: 0 }]]);
  });

  it('I10 · a read that began before a session ended does not bring it back', async () => {
    const { recheck, answers, taken } = stage(undefined);
    const asked = recheck.run('key', 'token');
    expect(await outcome(asked)).toBe('waiting');
    recheck.ending('i');
    const facts = { mark: shared.mark, upstreamToken: undefined, generation: 1, remainingMs: 1_000 };
    answers[0]?.resolve({ principal, ...facts });
    await asked;
    expect(taken.map(([found]) => found)).toEqual([undefined]);
  });

  it('I10 · receives the ends of other instances, and accepts a later session of the same bearer', () => {
    const { recheck, listeners } = stage(known);
    listeners.forEach((listener) => listener('i', 4));
    expect([recheck.hasEnded('i', 4), recheck.hasEnded('i', 5), recheck.hasEnded('another', 1)]).toEqual([
      true,
      false,
      false,
    ]);
    recheck.stop();
    expect(listeners.size).toBe(0);
  });
});
