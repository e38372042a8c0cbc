import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Clock } from '../core/clock.js';
import { SleepAwareClock } from './system-clock.js';

/** A machine in the hands of a test, with a boot clock in steps of `resolutionMs`; `undefined`: without one. */
function machine(resolutionMs: number | undefined, startMs = 0) {
  const at = { wall: 1e12, mono: 1_000, boot: startMs, uptimeReads: 0 };
  const clock: Clock = {
    now: () => at.wall,
    monotonic: () => at.mono,
    setTimer: () => () => undefined,
    ...(resolutionMs !== undefined && {
      uptime: () => {
        at.uptimeReads++;
        return Math.floor(at.boot / resolutionMs) * resolutionMs;
      },
    }),
  };
  const aware = new SleepAwareClock(clock);
  const began = aware.monotonic();
  return {
    at,
    elapsed: () => aware.monotonic() - began,
    pass: (ms: number): void => {
      for (const which of ['wall', 'mono', 'boot'] as const) at[which] += ms;
    },
    sleep: (ms: number): void => {
      for (const which of ['wall', 'boot'] as const) at[which] += ms;
    },
    stepWall: (ms: number): void => {
      at.wall += ms;
    },
  };
}

describe('SleepAwareClock', () => {
  it.each([10, 1_000])(
    'E3 · counts the time asleep, never too little (boot clock in steps of %i ms)',
    (resolutionMs) => {
      const ms = fc.integer({ min: 0, max: 1e8 });
      const span = fc.record({ awake: ms, asleep: fc.integer({ min: 3_000, max: 1e8 }) });
      fc.assert(
        fc.property(fc.nat(10_000), fc.array(span, { maxLength: 10 }), (startMs, spans) => {
          const { pass, sleep, elapsed } = machine(resolutionMs, startMs);
          let truthMs = 0;
          for (const { awake, asleep } of spans) {
            pass(awake);
            sleep(asleep);
            truthMs += awake + asleep;
            expect(elapsed()).toBeGreaterThanOrEqual(truthMs);
          }
          expect(elapsed()).toBeLessThanOrEqual(truthMs + spans.length * resolutionMs);
        }),
      );
    },
  );

  it.each([10, 1_000, undefined])(
    'E3 · takes no step of the wall clock for sleep (boot clock in steps of %s ms)',
    (resolutionMs) => {
      const step = fc.record({ awake: fc.integer({ min: 0, max: 1e8 }), byMs: fc.integer({ min: -1e8, max: 1e8 }) });
      fc.assert(
        fc.property(fc.nat(10_000), fc.array(step, { maxLength: 10 }), (startMs, steps) => {
          const { pass, stepWall, elapsed } = machine(resolutionMs, startMs);
          let truthMs = 0;
          for (const { awake, byMs } of steps) {
            pass(awake);
            stepWall(byMs);
            truthMs += awake;
            expect(elapsed()).toBe(truthMs);
          }
        }),
      );
    },
  );

  it('E3 · reads the boot clock only when the wall clock has run away by more than a second', () => {
    const { at, pass, stepWall, elapsed } = machine(10);
    const before = at.uptimeReads;
    pass(1e9);
    stepWall(1_000);
    elapsed();
    expect(at.uptimeReads).toBe(before);
    stepWall(1);
    for (let i = 0; i < 100; i++) elapsed();
    expect(at.uptimeReads).toBe(before + 1);
  });

  it('E3 · goes on where the boot clock must not be read', () => {
    const clock: Clock = {
      now: () => 1e12,
      monotonic: () => 5,
      uptime: () => {
        throw new Error('EPERM');
      },
      setTimer: () => () => undefined,
    };
    expect(new SleepAwareClock(clock).monotonic()).toBe(5);
  });
});
