/** Events of a connection. */
export interface ConnectionListener {
  /** It can be used. */
  readonly ready: () => void;
  /** The connection was closed or could not be opened. It reconnects without a call. */
  readonly lost: () => void;
  /** Why, before `lost`. */
  readonly failed: (error: Error) => void;
}

/** A connection to Redis, of either client package. */
export interface RedisConnection {
  readonly isReady: boolean;
  /** Opens it, if that was not done yet. */
  open(): void;
  /** Returns a function that removes the listener. */
  listen(listener: ConnectionListener): () => void;
  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  publish(channel: string, message: string): Promise<unknown>;
  /** Returns the section `memory` of `INFO`. */
  memoryInfo(): Promise<string>;
  /** Closes it and opens it again: its address may lead to another server by now. */
  reconnect(): void;
  /** Closes it, after the answers under way if `inTurn`. Does nothing to a client of the app. */
  close(inTurn: boolean): Promise<void>;
  /** Returns a second connection, for subscriptions. It waits for the server without limit: no caller waits for it. */
  subscriber(onMessage: (channel: string, message: string) => void): RedisSubscriber;
}

/** A connection with subscriptions, which it repeats on every new connection. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  reconnect(): void;
  close(): void;
}
