import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CancelTimer, Clock } from 'nestjs-xpay-auth';

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** Runs everything that only waits for a turn of the event loop. A model has no sockets. */
export async function settle(): Promise<void> {
  await nextTurn();
}

/**
 * A clock that stands still until it is moved. Unlike `ManualClock`, it does not wait for sockets, because a model
 * takes a hundred thousand steps.
 */
export class ModelClock implements Clock {
  #wall = Date.UTC(2026, 0, 1);
  #mono = 1_000;
  #timers: Timer[] = [];

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#mono;
  }

  setTimer(callback: () => void, delayMs: number): CancelTimer {
    const timer = { dueAt: this.#mono + Math.max(0, delayMs), callback };
    const at = this.#timers.findIndex(({ dueAt }) => dueAt > timer.dueAt);
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves both clocks, and fires each timer at its own time. */
  async advance(ms: number): Promise<void> {
    await settle();
    const target = this.#mono + ms;
    for (let next = this.#timers[0]; next !== undefined && next.dueAt <= target; next = this.#timers[0]) {
      this.#timers.shift();
      this.#moveTo(Math.max(this.#mono, next.dueAt));
      next.callback();
      await settle();
    }
    this.#moveTo(target);
    await settle();
  }

  stepWall(ms: number): void {
    this.#wall += ms;
  }

  #moveTo(mono: number): void {
    this.#wall += mono - this.#mono;
    this.#mono = mono;
  }
}
