import type {
  Count,
  Entry,
  EntryName,
  Held,
  Lease,
  LogPage,
  NewEntry,
  Store,
  StoreNotice,
  StoreStatus,
} from '../core/store.js';
import type { StoreOperation, Instrumentation } from '../core/instrumentation.js';

/** A store whose failures an onlooker hears of. */
export class WatchedStore implements Store {
  constructor(
    private readonly store: Store,
    private readonly instrumentation: Instrumentation,
  ) {}

  indexOf(text: string): string {
    return this.store.indexOf(text);
  }

  read(name: EntryName): Promise<Entry | undefined> {
    return this.#heard('read', this.store.read(name));
  }

  write(name: EntryName, entry: NewEntry): Promise<boolean> {
    return this.#heard('write', this.store.write(name, entry));
  }

  discard(name: EntryName, generation: number, keepMs: number): Promise<void> {
    return this.#heard('discard', this.store.discard(name, generation, keepMs));
  }

  acquire(name: EntryName, leaseMs: number): Promise<Lease | Held> {
    return this.#heard('acquire', this.store.acquire(name, leaseMs));
  }

  count(id: string, windowMs: number): Promise<Count> {
    return this.#heard('count', this.store.count(id, windowMs));
  }

  uncount(id: string, window: string): Promise<void> {
    return this.#heard('uncount', this.store.uncount(id, window));
  }

  append(log: string, record: { readonly index: string; readonly value: string }): Promise<LogPage> {
    return this.#heard('append', this.store.append(log, record));
  }

  readLog(log: string, after: number): Promise<LogPage> {
    return this.#heard('read_log', this.store.readLog(log, after));
  }

  renewEpoch(log: string, lostEpoch: string): Promise<void> {
    return this.#heard('renew_epoch', this.store.renewEpoch(log, lostEpoch));
  }

  publish(topic: string, message: string): Promise<void> {
    return this.#heard('publish', this.store.publish(topic, message));
  }

  subscribe(topic: string, listener: (message: string) => void): () => void {
    return this.store.subscribe(topic, listener);
  }

  status(): StoreStatus {
    return this.store.status();
  }

  onNotice(listener: (notice: StoreNotice) => void): () => void {
    return this.store.onNotice(listener);
  }

  close(): Promise<void> {
    return this.store.close();
  }

  #heard<T>(operation: StoreOperation, answer: Promise<T>): Promise<T> {
    return answer.catch((thrown: unknown) => {
      this.instrumentation.record({ type: 'store failed', operation });
      throw thrown;
    });
  }
}
