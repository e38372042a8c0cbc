import type { Clock } from '../../core/clock.js';

/** The clock of an emulator, such as a `ManualClock`. Without `setTimer`, delays take real time. */
export type EmulatorClock = Pick<Clock, 'now'> & Partial<Pick<Clock, 'setTimer'>>;

/** Delays of answers. They are cancelled when the emulator is paused or stopped. */
export class Delays {
  readonly #cancels = new Set<() => void>();

  constructor(private readonly clock: EmulatorClock) {}

  /** Resolves after `ms`. Never settles if the delay is cancelled. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#cancels.delete(cancel);
        resolve();
      };
      const cancel = this.clock.setTimer?.(done, ms) ?? realTimer(done, ms);
      this.#cancels.add(cancel);
    });
  }

  /** Cancels all pending delays. */
  cancel(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

function realTimer(callback: () => void, ms: number): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
