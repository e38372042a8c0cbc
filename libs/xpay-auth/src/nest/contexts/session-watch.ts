import type { CancelTimer, Clock } from '../../core/clock.js';

/** Looks again and again, each time so long after the last look was over, until one fails or it is stopped. */
export class SessionWatch {
  #cancel: CancelTimer | undefined;
  #stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly everyMs: number,
    private readonly look: () => Promise<unknown>,
    private readonly onFailure: (thrown: unknown) => void,
  ) {}

  start(): void {
    if (this.#stopped) return;
    this.#cancel = this.clock.setTimer(() => {
      this.look().then(
        () => this.start(),
        (thrown: unknown) => {
          if (!this.#stopped) this.onFailure(thrown);
        },
      );
    }, this.everyMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }
}
