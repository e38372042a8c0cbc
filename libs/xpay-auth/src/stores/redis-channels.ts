import type { RedisConnection, RedisSubscriber } from './redis-connection.js';

export interface RedisChannelsParts {
  readonly connection: RedisConnection;
  /** Decrypts a message of this channel. Returns `undefined` if no instance of this app encrypted the message. */
  readonly open: (channel: string, sealed: string) => string | undefined;
  /** Called with the error of a failed subscription. May throw. */
  readonly onRejected: (thrown: unknown) => void;
}

/** The listeners of each channel. All of them share one connection, which is opened for the first listener. */
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
        // The connection subscribes again when the server is available again.
        .catch(() => undefined);
    }
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Reconnects, because the address may now lead to another server. */
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
