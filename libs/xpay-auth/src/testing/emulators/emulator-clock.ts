import type { Clock } from '../../core/clock.js';

/** The clock of an emulator, such as a `ManualClock`. Without `setTimer`, delays take real time. */
export type EmulatorClock = Pick<Clock, 'now'> & Partial<Pick<Clock, 'setTimer'>>;

/** The emulator was paused or stopped during a delay. */
export class Gone extends Error {}

/** Delays of answers, which end early when the emulator is paused or stopped. */
export class Waits {
  readonly #cuts = new Set<() => void>();

  constructor(private readonly clock: EmulatorClock) {}

  /** Resolves after `ms`; rejects with `Gone` when cut. */
  async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#cuts.delete(cut);
        resolve();
      };
      const cancel = this.clock.setTimer?.(done, ms) ?? realTimer(done, ms);
      const cut = (): void => {
        this.#cuts.delete(cut);
        cancel();
        reject(new Gone());
      };
      this.#cuts.add(cut);
    });
  }

  /** Ends all pending delays. */
  cut(): void {
    for (const cut of this.#cuts) cut();
  }
}

function realTimer(callback: () => void, ms: number): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
