import type { RedisConnection, RedisSubscriber } from './redis-connection.js';

export interface RedisChannelsParts {
  readonly connection: RedisConnection;
  /** Opens a message of this channel; `undefined`: it is not ours. */
  readonly open: (channel: string, sealed: string) => string | undefined;
  /** Receives the failure to subscribe. May throw. */
  readonly onRejected: (thrown: unknown) => void;
}

/** The listeners of each channel, over one connection that is opened for the first of them. */
export class RedisChannels {
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  #subscriber: RedisSubscriber | undefined;

  constructor(private readonly parts: RedisChannelsParts) {}

  /** Returns a function that removes the listener. */
  listen(channel: string, listener: (message: string) => void): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    if (listeners.size === 0) {
      this.#listeners.set(channel, listeners);
      this.#connection()
        .subscribe(channel)
        .catch((thrown) => this.parts.onRejected(thrown))
        // The connection subscribes again when it is back.
        .catch(() => undefined);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /** The address may lead to another server by now. */
  reconnect(): void {
    this.#subscriber?.reconnect();
  }

  close(): void {
    this.#subscriber?.close();
  }

  #connection(): RedisSubscriber {
    this.#subscriber ??= this.parts.connection.subscriber((channel, sealed) => {
      const message = this.parts.open(channel, sealed);
      if (message !== undefined) this.#listeners.get(channel)?.forEach((listener) => listener(message));
    });
    return this.#subscriber;
  }
}
