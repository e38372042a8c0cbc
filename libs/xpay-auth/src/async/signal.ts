import type { Clock } from '../core/clock.js';

/** Wakes everybody who waits for it. */
export class Signal {
  #ringing = newSignal();

  constructor(private readonly clock: Clock) {}

  notify(): void {
    this.#ringing.resolve();
    this.#ringing = newSignal();
  }

  /** The next time it rings. To be taken before looking whether there is a reason to wait. */
  next(): Promise<void> {
    return this.#ringing.promise;
  }

  /** When it rings, or after so many ms. */
  orTimeout(rung: Promise<void>, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.setTimer(resolve, delayMs);
      const wake = (): void => {
        cancel();
        resolve();
      };
      void rung.then(wake);
    });
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function newSignal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  const ring = { resolve: (): void => undefined };
  const promise = new Promise<void>((resolve) => {
    ring.resolve = resolve;
  });
  return { promise, resolve: () => ring.resolve() };
}
