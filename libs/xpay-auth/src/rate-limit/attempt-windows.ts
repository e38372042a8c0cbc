/** The attempts of one key within a fixed time. */
export interface AttemptWindow {
  /** Distinguishes it from the earlier and later windows of the key. */
  readonly id: string;
  /** When it closes, on the monotonic clock. */
  readonly until: number;
  /** Reservations of this process whose result is not known yet. */
  open: number;
  /** Attempts that are known to have failed. */
  failed: number;
}

/** Keeps one window for each key, in this process. */
export class AttemptWindows {
  /** The key that was used least recently comes first. */
  readonly #windows = new Map<string, AttemptWindow>();
  #opened = 0;

  /** @param maxKeys beyond it the least recently used key is dropped */
  constructor(private readonly maxKeys: number) {}

  /** Keys that hold a window. */
  get size(): number {
    return this.#windows.size;
  }

  /** Returns the window of this key, unless it is closed. */
  at(key: string, now: number): AttemptWindow | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.until > now ? window : undefined;
  }

  /** Returns the window of this key. Opens one if it is closed, or if it is another than the one named. */
  open(key: string, now: number, until: number, id?: string): AttemptWindow {
    const found = this.at(key, now);
    const isSame = found !== undefined && (id === undefined || found.id === id);
    const window = isSame ? found : { id: id ?? String(++this.#opened), until, open: 0, failed: 0 };
    this.#windows.delete(key);
    this.#windows.set(key, window);
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size > this.maxKeys) this.#windows.delete(oldest);
    return window;
  }

  /** Ends a reservation in this window. A key without attempts takes no room. */
  settle(key: string, window: AttemptWindow, hasFailed: boolean): void {
    window.open--;
    if (hasFailed) window.failed++;
    if (window.open <= 0 && window.failed === 0 && this.#windows.get(key) === window) this.#windows.delete(key);
  }
}
