import type { Count } from '../../core/store.js';

interface Window {
  count: number;
  readonly id: string;
  readonly until: number;
}

/** Counts in fixed windows, one for each key. A window starts with its first count. Times are on the monotonic clock. */
export class FixedWindowCounter {
  readonly #windows = new Map<string, Window>();
  #opened = 0;

  /** The number of keys with a count. */
  get size(): number {
    return this.#windows.size;
  }

  /** Adds one to the current window of this key, or starts a window. */
  count(key: string, windowMs: number, now: number): Count {
    const open = this.#windows.get(key);
    const isOpen = open !== undefined && open.until > now;
    const window = isOpen ? open : { count: 0, id: String(++this.#opened), until: now + windowMs };
    window.count++;
    this.#windows.set(key, window);
    return { count: window.count, remainingMs: window.until - now, window: window.id };
  }

  /** Subtracts one if this window of the key is still open. A key whose count is 0 is deleted. */
  uncount(key: string, id: string): void {
    const window = this.#windows.get(key);
    if (window?.id === id && --window.count <= 0) this.#windows.delete(key);
  }

  clear(): void {
    this.#windows.clear();
  }
}
