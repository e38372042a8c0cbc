import { describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { XPayAuthError } from '../core/errors.js';
import { SleepAwareClock } from './system-clock.js';
import { type DeadlineOptions, abortable, deadline } from './promises.js';

/** A promise to be settled by hand. */
function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: Error) => void } {
  let settle: Pick<ReturnType<typeof pending<T>>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  if (settle === undefined) throw new Error('a promise runs its function at once');
  return { promise, ...settle };
}

describe('abortable', () => {
  it('O7 · rejects only the caller that aborts, with the reason of its signal', async () => {
    const { promise, resolve } = pending<number>();
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const one = abortable(promise, leaving.signal);
    const other = abortable(promise, staying.signal);
    leaving.abort(new Error('gone'));
    await expect(one).rejects.toThrow('gone');
    resolve(1);
    expect(await other).toBe(1);
  });

  it('O7 · rejects at once for a signal that has aborted, and leaves no unhandled rejection', async () => {
    const { promise, reject } = pending<number>();
    const gone = abortable(promise, AbortSignal.abort(new Error('gone')));
    reject(new Error('and it failed'));
    await expect(gone).rejects.toThrow('gone');
  });

  it('settles with the promise if that comes first', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
  });
});

function within(clock: ManualClock, signal?: AbortSignal): DeadlineOptions<unknown> {
  return { clock, ms: 1_000, signal };
}

describe('deadline', () => {
  it('O7 · ends a run that ignores its signal', async () => {
    const clock = new ManualClock();
    let told: AbortSignal | undefined;
    const run = deadline(within(clock), (signal) => {
      told = signal;
      return new Promise<never>(() => undefined);
    });
    const outcome = expect(run).rejects.toMatchObject({ code: 'upstream_timeout' });
    await clock.advance(1_000);
    await outcome;
    expect(told?.aborted).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves no timer behind, however the run ends', async () => {
    const clock = new ManualClock();
    await deadline(within(clock), () => Promise.resolve(1));
    await deadline(within(clock), () => Promise.reject(new Error('no'))).catch(() => undefined);
    await deadline(within(clock), () => {
      throw new Error('no');
    }).catch(() => undefined);
    expect(clock.pendingTimers).toBe(0);
  });

  it('O19 · ends with the reason of the outer signal, before or after its start', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const run = deadline(within(clock, stop.signal), () => new Promise<never>(() => undefined));
    stop.abort(new XPayAuthError('shutting_down', 'over'));
    await expect(run).rejects.toMatchObject({ code: 'shutting_down' });
    let started = false;
    const late = deadline(within(clock, stop.signal), () => Promise.resolve((started = true)));
    await expect(late).rejects.toMatchObject({ code: 'shutting_down' });
    expect([started, clock.pendingTimers]).toEqual([false, 0]);
  });

  it('E3 · ends a run whose result arrives after the machine slept past the deadline', async () => {
    const clock = new ManualClock();
    const { promise, resolve } = pending<number>();
    const late: number[] = [];
    const run = deadline(
      { clock: new SleepAwareClock(clock), ms: 1_000, late: (n: number) => late.push(n) },
      () => promise,
    );
    clock.sleep(5_000);
    resolve(1);
    await expect(run).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(late).toEqual([1]);
  });

  it('passes on a result that arrives after the deadline', async () => {
    const clock = new ManualClock();
    const { promise, resolve } = pending<number>();
    const late: number[] = [];
    const run = deadline(
      { clock, ms: 1_000, late: (n: number) => late.push(n), error: () => new Error('late') },
      () => promise,
    );
    const outcome = expect(run).rejects.toThrow('late');
    await clock.advance(1_000);
    await outcome;
    resolve(1);
    await clock.advance(0);
    expect(late).toEqual([1]);
  });
});
