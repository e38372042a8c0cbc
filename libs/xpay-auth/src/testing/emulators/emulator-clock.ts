import type { Clock } from '../../core/clock.js';

/** The time an emulator lives in: a `ManualClock`, or anything that tells the time. Without `setTimer` delays are real. */
export type EmulatorClock = Pick<Clock, 'now'> & Partial<Pick<Clock, 'setTimer'>>;

/** The emulator went away while an answer was waiting for its time. */
export class Gone extends Error {}

/** Answers that wait for their time, and can be cut short when the emulator goes away first. */
export class Waits {
  readonly #clock: EmulatorClock;
  readonly #cuts = new Set<() => void>();

  constructor(clock: EmulatorClock) {
    this.#clock = clock;
  }

  /** Resolves after `ms`; rejects with `Gone` when cut. */
  async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#cuts.delete(cut);
        resolve();
      };
      const cancel = this.#clock.setTimer?.(done, ms) ?? realTimer(done, ms);
      const cut = (): void => {
        this.#cuts.delete(cut);
        cancel();
        reject(new Gone());
      };
      this.#cuts.add(cut);
    });
  }

  /** Ends every wait under way. */
  cut(): void {
    for (const cut of this.#cuts) cut();
  }
}

function realTimer(callback: () => void, ms: number): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
