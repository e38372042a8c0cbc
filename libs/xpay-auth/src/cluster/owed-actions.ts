/** An action that waits until the store is available. Must be safe to repeat. */
export interface OwedAction {
  /** Sends the action to the store. Rejects while the store is unavailable. */
  readonly run: () => Promise<void>;
  /** The user that the action revokes. `undefined` for a logout. */
  readonly revokes?: string | undefined;
}

/** Maximum number of actions that run at the same time, because a thousand simultaneous actions could all time out. */
const MOST_AT_ONCE = 16;

/** The actions that could not be sent to an unavailable store, oldest first. */
export class OwedActions {
  readonly #waiting = new Set<OwedAction>();
  #running: Promise<void> | undefined;

  get size(): number {
    return this.#waiting.size;
  }

  /** The users whose revocations wait. */
  get revoked(): readonly string[] {
    return [...this.#waiting].flatMap(({ revokes }) => revokes ?? []);
  }

  add(action: OwedAction): void {
    this.#waiting.add(action);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Runs the actions until all have succeeded or one has failed. A failed action waits again. Never rejects. */
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
