/** An action that waits until the store is available. Must be safe to repeat. */
export interface OwedAction {
  /** Sends it to the store. Rejects while the store is unavailable. */
  readonly run: () => Promise<void>;
  /** The user that is revoked; `undefined` for a logout. */
  readonly revokes?: string | undefined;
}

/** Actions that run at once when the store is back: a thousand at once could time out together. */
const MOST_AT_ONCE = 16;

/** The actions that an unavailable store has missed, oldest first. */
export class OwedActions {
  readonly #waiting = new Set<OwedAction>();
  #running: Promise<void> | undefined;

  get size(): number {
    return this.#waiting.size;
  }

  /** The users whose revocation waits. */
  get revoked(): readonly string[] {
    return [...this.#waiting].flatMap(({ revokes }) => revokes ?? []);
  }

  add(action: OwedAction): void {
    this.#waiting.add(action);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Runs the actions until all have succeeded or one has failed, which waits again. Never rejects. */
  run(): Promise<void> {
    if (this.#running === undefined && this.#waiting.size === 0) return Promise.resolve();
    this.#running ??= this.#runAll().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #runAll(): Promise<void> {
    let hasFailed = false;
    const work = async (): Promise<void> => {
      for (let [next] = this.#waiting; next !== undefined && !hasFailed; [next] = this.#waiting) {
        this.#waiting.delete(next);
        try {
          await next.run();
        } catch {
          hasFailed = true;
          this.#waiting.add(next);
        }
      }
    };
    await Promise.all(Array.from({ length: MOST_AT_ONCE }, work));
  }
}
