import { describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { XPayAuthError } from '../core/errors.js';
import { type Limits, SingleFlight, abortable, withinDeadline } from './single-flight.js';

/** A promise to be settled by hand. */
function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: Error) => void } {
  let settle: Pick<ReturnType<typeof pending<T>>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  if (settle === undefined) throw new Error('a promise runs its function at once');
  return { promise, ...settle };
}

describe('SingleFlight', () => {
  it('O1 · runs once for everybody who asks meanwhile, and again afterwards', async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const flight = (): Promise<number> => flights.run('a', () => Promise.resolve(++runs));
    expect(await Promise.all([flight(), flight(), flight()])).toEqual([1, 1, 1]);
    expect(await flight()).toBe(2);
  });

  it('keeps keys apart', async () => {
    const flights = new SingleFlight<string>();
    const run = (key: string): Promise<string> => flights.run(key, () => Promise.resolve(key));
    expect(await Promise.all([run('a'), run('b'), run('__proto__')])).toEqual(['a', 'b', '__proto__']);
  });

  it('shares a failure and remembers none, whether thrown or rejected', async () => {
    const flights = new SingleFlight<number>();
    const failing = [
      () => Promise.reject(new Error('rejected')),
      () => {
        throw new Error('thrown');
      },
    ];
    for (const fly of failing) {
      const both = await Promise.allSettled([flights.run('a', fly), flights.run('a', () => Promise.resolve(1))]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(flights.has('a')).toBe(false);
    }
    expect(await flights.run('a', () => Promise.resolve(2))).toBe(2);
  });

  it('is over when its waiters hear of it', async () => {
    const flights = new SingleFlight<number>();
    const flight = flights.run('a', () => Promise.resolve(1));
    expect(flights.has('a')).toBe(true);
    await flight.then(() => expect(flights.has('a')).toBe(false));
  });
});

describe('abortable', () => {
  it('O7 · one who leaves takes nobody along, and hears the reason of the signal', async () => {
    const { promise, resolve } = pending<number>();
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const one = abortable(promise, leaving.signal);
    const other = abortable(promise, staying.signal);
    leaving.abort(new Error('gone'));
    await expect(one).rejects.toThrow('gone');
    resolve(1);
    expect(await other).toBe(1);
  });

  it('O7 · one who had left before is told at once; the outcome reaches nobody unhandled', async () => {
    const { promise, reject } = pending<number>();
    const gone = abortable(promise, AbortSignal.abort(new Error('gone')));
    reject(new Error('and it failed'));
    await expect(gone).rejects.toThrow('gone');
  });

  it('gives the outcome, if that comes first', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
  });
});

function limits(clock: ManualClock, stop = new AbortController().signal): Limits {
  return { clock, deadlineMs: 1_000, stop };
}

describe('withinDeadline', () => {
  it('O7 · ends a run that heeds nothing, and tells it so', async () => {
    const clock = new ManualClock();
    let told: AbortSignal | undefined;
    const run = withinDeadline(limits(clock), (signal) => {
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
    await withinDeadline(limits(clock), () => Promise.resolve(1));
    await withinDeadline(limits(clock), () => Promise.reject(new Error('no'))).catch(() => undefined);
    await withinDeadline(limits(clock), () => {
      throw new Error('no');
    }).catch(() => undefined);
    expect(clock.pendingTimers).toBe(0);
  });

  it('O19 · is ended from outside with the reason given there, before or after its start', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const run = withinDeadline(limits(clock, stop.signal), () => new Promise<never>(() => undefined));
    stop.abort(new XPayAuthError('shutting_down', 'over'));
    await expect(run).rejects.toMatchObject({ code: 'shutting_down' });
    let started = false;
    const late = withinDeadline(limits(clock, stop.signal), () => Promise.resolve((started = true)));
    await expect(late).rejects.toMatchObject({ code: 'shutting_down' });
    expect([started, clock.pendingTimers]).toEqual([false, 0]);
  });
});
