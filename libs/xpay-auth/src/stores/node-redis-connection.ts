import type { ConnectionListener, RedisConnection, RedisSubscriber } from './redis-connection.js';

/** A client of the package `redis` (node-redis), created by `createClient()`, `createCluster()` or `createSentinel()`. */
export interface NodeRedisClient {
  /** Returns an unconnected client with the same options. */
  duplicate(): unknown;
  /** Runs a cached script. */
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** The methods of a client that this file uses. */
interface Client extends NodeRedisClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  duplicate(overrides?: object): Client;
  connect(): Promise<unknown>;
  close(): Promise<unknown>;
  destroy(): unknown;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  publish(channel: string, message: string): Promise<unknown>;
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>;
  info?(section: string): Promise<string>;
  on(event: string, listener: (error: Error) => void): unknown;
}

/** Opens connections with the options of a node-redis client. The client itself is not used, whether it is connected or not. */
export class NodeRedisConnection implements RedisConnection {
  readonly #template: Client;
  readonly #listeners = new Set<ConnectionListener>();
  #client: Client;

  constructor(client: NodeRedisClient) {
    this.#template = client as Client;
    this.#client = this.#create();
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  open(): void {
    const client = this.#client;
    if (client.isOpen) return;
    client.connect().then(
      () => this.#each(client, (listener) => listener.ready()),
      (thrown: unknown) => this.#failed(client, thrown),
    );
  }

  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return asReply(this.#client.evalSha(sha, { keys: [...keys], arguments: [...args] }));
  }

  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return asReply(this.#client.eval(script, { keys: [...keys], arguments: [...args] }));
  }

  publish(channel: string, message: string): Promise<unknown> {
    return asReply(this.#client.publish(channel, message));
  }

  async memoryInfo(): Promise<string> {
    return (await this.#client.info?.('memory')) ?? '';
  }

  reconnect(): void {
    destroy(this.#client);
    this.#client = this.#create();
    this.open();
  }

  async close(inTurn: boolean): Promise<void> {
    if (inTurn) await this.#client.close();
    else destroy(this.#client);
  }

  subscriber(onMessage: (channel: string, message: string) => void): RedisSubscriber {
    return new NodeRedisSubscriber(this.#template, onMessage);
  }

  #create(): Client {
    const client = this.#template.duplicate({ disableOfflineQueue: true });
    const lost = (): void => this.#each(client, (listener) => listener.lost());
    client.on('error', (thrown) => this.#failed(client, thrown));
    client.on('ready', () => this.#each(client, (listener) => listener.ready()));
    client.on('reconnecting', lost);
    client.on('end', lost);
    return client;
  }

  #failed(client: Client, thrown: unknown): void {
    const error = replyOf(thrown);
    this.#each(client, (listener) => listener.failed(error));
    if (!client.isReady) this.#each(client, (listener) => listener.lost());
  }

  /** Notifies the listeners of this connection. Events of a client that was replaced by a newer client are ignored. */
  #each(client: Client, notify: (listener: ConnectionListener) => void): void {
    if (client === this.#client) [...this.#listeners].forEach(notify);
  }
}

/**
 * Keeps the subscriptions of a connection. node-redis repeats them after a connection was lost, but not after the client was
 * closed.
 */
class NodeRedisSubscriber implements RedisSubscriber {
  readonly #channels = new Set<string>();
  #client: Client | undefined;
  #connected: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly template: Client,
    private readonly onMessage: (channel: string, message: string) => void,
  ) {
    this.#connect();
  }

  subscribe(channel: string): Promise<unknown> {
    this.#channels.add(channel);
    return this.#subscribe(channel);
  }

  reconnect(): void {
    this.close();
    this.#connect();
    for (const channel of this.#channels) this.#subscribe(channel).catch(() => undefined);
  }

  close(): void {
    if (this.#client !== undefined) destroy(this.#client);
  }

  #connect(): void {
    const client = this.template.duplicate();
    client.on('error', () => undefined);
    this.#client = client;
    this.#connected = client.connect();
    this.#connected.catch(() => undefined);
  }

  async #subscribe(channel: string): Promise<unknown> {
    const client = this.#client;
    await this.#connected;
    return asReply(client?.subscribe(channel, (message, from) => this.onMessage(from, message)) ?? Promise.resolve());
  }
}

/** Destroys a client. The call returns a promise for a Sentinel client, and fails for a client that is closed already. */
function destroy(client: Client): void {
  (async () => client.destroy())().catch(() => undefined);
}

function asReply<T>(call: Promise<T>): Promise<T> {
  return call.catch((thrown: unknown) => {
    throw replyOf(thrown);
  });
}

/**
 * Converts an error reply of the server to an error named `ReplyError`, as ioredis does. A log then shows only the first word of
 * the reply, because the reply may contain a password.
 */
function replyOf(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return /^[A-Z]+ /.test(error.message) && !('code' in error)
    ? Object.assign(new Error(error.message), { name: 'ReplyError' })
    : error;
}
