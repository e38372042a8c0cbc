import type { Cluster, Redis } from 'ioredis';
import { duplicate } from './redis-connection.js';

export interface RedisChannelsParts {
  readonly client: Redis | Cluster;
  /** What a message of this channel says; `undefined`: nothing of ours. */
  readonly open: (channel: string, sealed: string) => string | undefined;
}

/** Who listens to which channel, over one connection that is opened for the first of them. */
export class RedisChannels {
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  #subscriber: Redis | Cluster | undefined;

  constructor(private readonly parts: RedisChannelsParts) {}

  /** Returns what ends it. */
  listen(channel: string, listener: (message: string) => void): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    if (listeners.size === 0) {
      this.#listeners.set(channel, listeners);
      this.#connection()
        .subscribe(channel)
        .catch(() => undefined);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  close(): void {
    this.#subscriber?.disconnect();
  }

  #connection(): Redis | Cluster {
    this.#subscriber ??= duplicate(this.parts.client)
      .on('error', () => undefined)
      .on('message', (channel: string, sealed: string) => {
        const message = this.parts.open(channel, sealed);
        if (message !== undefined) this.#listeners.get(channel)?.forEach((listener) => listener(message));
      });
    return this.#subscriber;
  }
}
