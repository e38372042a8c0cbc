import { EventEmitter, once } from 'node:events';
import { fitsPath } from './script.js';
import type { Outcome } from './wire-message.js';

/** One request to an emulator. Secrets are replaced by `[redacted]`. */
export interface LedgerEntry {
  /** Ms since the epoch on the emulator's `clock`, without skew. */
  readonly at: number;
  /** The HTTP method. */
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed; `undefined` when no body came. */
  readonly body: unknown;
  /** HTTP status of the answer; `undefined` while there is none. */
  readonly status: number | undefined;
  /** The outcome; `pending` while there is no answer. */
  readonly outcome: Outcome;
  /** The user name, if the emulator knows it. */
  readonly account?: string;
  /** The request's own reference, where the dialect has one. */
  readonly uuid?: string;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Beyond this many distinct paths only the total is counted. */
const MOST_PATHS = 10_000;

/** Keeps the latest requests and counts all of them. */
export class Ledger {
  #entries: Writable<LedgerEntry>[] = [];
  #total = 0;
  readonly #byPath = new Map<string, number>();
  readonly #arrivals = new EventEmitter().setMaxListeners(0);

  /** @param size how many requests are kept. Counts have no limit. */
  constructor(private readonly size: number) {}

  /** The latest requests, oldest first. */
  get entries(): readonly LedgerEntry[] {
    return this.size === 0 ? [] : this.#entries.slice(-this.size);
  }

  /** Records a request as it arrives. The returned function adds the outcome. */
  open(entry: LedgerEntry): (ending: Partial<LedgerEntry>) => void {
    const kept: Writable<LedgerEntry> = { ...entry };
    this.#entries.push(kept);
    if (this.#entries.length > this.size * 2) this.#entries = this.#entries.slice(this.#entries.length - this.size);
    this.#total += 1;
    const counted = this.#byPath.get(entry.path);
    if (counted !== undefined || this.#byPath.size < MOST_PATHS) this.#byPath.set(entry.path, (counted ?? 0) + 1);
    this.#arrivals.emit('request');
    return (ending) => void Object.assign(kept, ending);
  }

  /** The number of requests since the last reset, at one path or in total. */
  count(path?: string): number {
    if (path === undefined) return this.#total;
    const matching = [...this.#byPath].filter(([at]) => fitsPath(path, at));
    return matching.reduce((sum, [, count]) => sum + count, 0);
  }

  /** Resolves once `count` requests have arrived; rejects after `withinMs` of real time. */
  async reach(count: number, path: string | undefined, withinMs: number): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    while (this.count(path) < count) {
      await once(this.#arrivals, 'request', { signal }).catch(() => {
        const where = `to ${path ?? 'any path'}`;
        throw new Error(`${this.count(path)} of ${count} requests ${where} arrived in ${withinMs} ms`);
      });
    }
  }

  /** Deletes all entries and sets all counts to 0. */
  reset(): void {
    this.#entries = [];
    this.#total = 0;
    this.#byPath.clear();
  }
}
