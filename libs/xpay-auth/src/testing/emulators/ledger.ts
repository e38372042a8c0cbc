import { EventEmitter, once } from 'node:events';
import { fitsPath } from './script.js';
import type { Outcome } from './wire-message.js';

/** One request to an emulator. Secrets are replaced by `[redacted]`. */
export interface LedgerEntry {
  /** Ms since the epoch on the emulator's `clock`, without skew. */
  readonly at: number;
  /** The HTTP method. */
  readonly method: string;
  /** The path without the query. */
  readonly path: string;
  /** The headers, with their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body; `undefined` for a request without a body. */
  readonly body: unknown;
  /** HTTP status of the answer; `undefined` while there is none. */
  readonly status: number | undefined;
  /** The outcome; `pending` while there is no answer. */
  readonly outcome: Outcome;
  /** The user name, if the emulator knows it. */
  readonly account?: string;
  /** The reference in the request, if its dialect has one. */
  readonly uuid?: string;
}

/** Maximum number of paths that are counted separately. Requests at further paths count only in the total. */
const MOST_PATHS = 10_000;

/** Keeps the latest requests to an emulator and counts all of them. */
export abstract class RequestLedger {
  #entries: LedgerEntry[] = [];
  #total = 0;
  readonly #byPath = new Map<string, number>();
  readonly #arrivals = new EventEmitter().setMaxListeners(0);
  readonly #size: number;

  /** @param size maximum number of kept requests. Counts have no limit. */
  constructor(size: number) {
    this.#size = size;
  }

  /** The latest requests, oldest first, with secrets redacted. */
  get ledger(): readonly LedgerEntry[] {
    return this.#size === 0 ? [] : this.#entries.slice(-this.#size);
  }

  /** The number of requests so far, at one path (`/client/wallets/*`: all below) or in total. Includes those with a fault. */
  requests(path?: string): number {
    if (path === undefined) return this.#total;
    const matching = [...this.#byPath].filter(([at]) => fitsPath(path, at));
    return matching.reduce((sum, [, count]) => sum + count, 0);
  }

  /** Resolves once `count` requests have arrived; rejects after `withinMs` of real time. @default 5_000 */
  async waitForRequests(count: number, path?: string, withinMs = 5_000): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    while (this.requests(path) < count) {
      await once(this.#arrivals, 'request', { signal }).catch(() => {
        const where = `to ${path ?? 'any path'}`;
        throw new Error(`${this.requests(path)} of ${count} requests ${where} arrived in ${withinMs} ms`);
      });
    }
  }

  /** Empties the ledger and sets all counts to 0. */
  resetLedger(): void {
    this.#entries = [];
    this.#total = 0;
    this.#byPath.clear();
  }

  /** Records a request as it arrives. The returned function adds the outcome. */
  protected record(entry: LedgerEntry): (ending: Partial<LedgerEntry>) => void {
    const kept = { ...entry };
    this.#entries.push(kept);
    if (this.#entries.length > this.#size * 2) this.#entries = this.#entries.slice(this.#entries.length - this.#size);
    this.#total += 1;
    const counted = this.#byPath.get(entry.path);
    if (counted !== undefined || this.#byPath.size < MOST_PATHS) this.#byPath.set(entry.path, (counted ?? 0) + 1);
    this.#arrivals.emit('request');
    return (ending) => void Object.assign(kept, ending);
  }
}
