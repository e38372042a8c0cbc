import { describe, expect, it } from '@jest/globals';
import { ManualClock } from './manual-clock.js';

describe('ManualClock', () => {
  it('stands still until it is advanced, and then moves both clocks alike', async () => {
    const clock = new ManualClock(1_000_000);
    const before = clock.monotonic();
    expect(clock.now()).toBe(1_000_000);
    await clock.advance(250);
    expect([clock.now(), clock.monotonic() - before]).toEqual([1_000_250, 250]);
  });

  it('fires due timers in time order, each at its own instant, and those of one instant in the order they were set', async () => {
    const clock = new ManualClock(0);
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.now()}`);
    clock.setTimer(note('late'), 30);
    clock.setTimer(note('first'), 10);
    clock.setTimer(note('second'), 10);
    clock.setTimer(note('never'), 31);
    await clock.advance(30);
    expect(fired).toEqual(['first@10', 'second@10', 'late@30']);
    expect(clock.pendingTimers).toBe(1);
  });

  it('lets promises settle between timers, so that a timer armed by one falls due in the same advance', async () => {
    const clock = new ManualClock(0);
    const fired: number[] = [];
    const rearm = async (): Promise<void> => {
      fired.push(clock.now());
      await Promise.resolve();
      if (fired.length < 3) clock.setTimer(() => void rearm(), 10);
    };
    clock.setTimer(() => void rearm(), 10);
    await clock.advance(100);
    expect(fired).toEqual([10, 20, 30]);
  });

  it('does not fire a cancelled timer, and cancelling twice or late does nothing', async () => {
    const clock = new ManualClock();
    let fired = 0;
    const cancel = clock.setTimer(() => void fired++, 5);
    cancel();
    cancel();
    await clock.advance(10);
    expect([fired, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('steps the wall clock alone, forward or back, and fires nothing by it', async () => {
    const clock = new ManualClock(1_000_000);
    const before = clock.monotonic();
    let fired = 0;
    clock.setTimer(() => void fired++, 1_000);
    clock.stepWall(-3_600_000);
    clock.stepWall(7_200_000);
    expect([clock.now(), clock.monotonic(), fired]).toEqual([4_600_000, before, 0]);
    await clock.advance(1_000);
    expect([clock.now(), fired]).toEqual([4_601_000, 1]);
  });

  it('E3 · sleeps: the wall clock and the boot clock move, the monotonic clock and the timers do not', async () => {
    const clock = new ManualClock(1_000_000);
    const [mono, uptime] = [clock.monotonic(), clock.uptime()];
    let fired = 0;
    clock.setTimer(() => void fired++, 1_000);
    clock.sleep(3_600_000);
    clock.stepWall(-1_000);
    expect([clock.now(), clock.monotonic() - mono, clock.uptime() - uptime, fired]).toEqual([
      4_599_000, 0, 3_600_000, 0,
    ]);
    await clock.advance(1_000);
    expect([clock.monotonic() - mono, clock.uptime() - uptime, fired]).toEqual([1_000, 3_601_000, 1]);
    expect(() => clock.sleep(-1)).toThrow(RangeError);
  });

  it('rejects a negative time, a delay that is not a number, overlapping calls and an endless timer', async () => {
    const clock = new ManualClock();
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    expect(() => clock.setTimer(() => {}, Number.NaN)).toThrow(RangeError);
    const first = clock.advance(1);
    await expect(clock.advance(1)).rejects.toThrow('has not finished');
    await first;
  });

  it('rethrows the error of a callback, and can be advanced again', async () => {
    const clock = new ManualClock();
    clock.setTimer(() => {
      throw new Error('from the callback');
    }, 1);
    await expect(clock.advance(1)).rejects.toThrow('from the callback');
    await expect(clock.advance(1)).resolves.toBeUndefined();
  });
});
