/** Events of a connection. */
export interface ConnectionListener {
  /** Called when the connection can be used. */
  readonly ready: () => void;
  /** Called when the connection was closed or could not be opened. The connection then reconnects automatically. */
  readonly lost: () => void;
  /** Called with the cause before `lost`. */
  readonly failed: (error: Error) => void;
}

/** A connection to Redis through ioredis or node-redis. */
export interface RedisConnection {
  readonly isReady: boolean;
  /** Opens the connection, unless it was opened before. */
  open(): void;
  /** Returns a function that removes the listener. */
  listen(listener: ConnectionListener): () => void;
  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  publish(channel: string, message: string): Promise<unknown>;
  /** Returns the section `memory` of `INFO`. */
  memoryInfo(): Promise<string>;
  /** Closes the connection and opens it again, because the address may now lead to another server. */
  reconnect(): void;
  /**
   * Closes the connection. With `inTurn`, waits for the answers to calls in progress first. Does not close a client that the app
   * has created.
   */
  close(inTurn: boolean): Promise<void>;
  /**
   * Returns a second connection for subscriptions. This connection waits for the server without limit, because no caller waits
   * for it.
   */
  subscriber(onMessage: (channel: string, message: string) => void): RedisSubscriber;
}

/** A connection with subscriptions. After each reconnect, it subscribes again. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  reconnect(): void;
  close(): void;
}
