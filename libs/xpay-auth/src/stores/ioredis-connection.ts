import type { Cluster, Redis } from 'ioredis';
import type { ConnectionListener, RedisConnection, RedisSubscriber } from './redis-connection.js';

/** A connection of `ioredis`. */
export class IoRedisConnection implements RedisConnection {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly isOurs: boolean,
  ) {
    // An `error` event without a listener would end the process. Such events also occur while no listener is registered and after
    // the store was closed.
    if (isOurs) client.on('error', () => undefined);
  }

  get isReady(): boolean {
    return this.client.status === 'ready';
  }

  open(): void {
    if (this.client.status === 'wait') this.client.connect().catch(() => undefined);
  }

  listen({ ready, lost, failed }: ConnectionListener): () => void {
    const { client } = this;
    client.on('error', failed).on('ready', ready).on('close', lost).on('end', lost);
    return () => client.off('error', failed).off('ready', ready).off('close', lost).off('end', lost);
  }

  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.client.evalsha(sha, keys.length, ...keys, ...args);
  }

  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.client.eval(script, keys.length, ...keys, ...args);
  }

  publish(channel: string, message: string): Promise<unknown> {
    return this.client.publish(channel, message);
  }

  memoryInfo(): Promise<string> {
    return this.client.info('memory');
  }

  reconnect(): void {
    this.client.disconnect(true);
  }

  async close(inTurn: boolean): Promise<void> {
    if (!this.isOurs) return;
    if (inTurn) await this.client.quit();
    else this.client.disconnect();
  }

  subscriber(onMessage: (channel: string, message: string) => void): RedisSubscriber {
    const { client } = this;
    // The `duplicate` of a cluster has other parameters. `instanceof` cannot tell a cluster, because the app may have loaded two
    // copies of the package.
    const options = { enableOfflineQueue: true, lazyConnect: false };
    const own: Redis | Cluster =
      'nodes' in client ? client.duplicate([], options) : client.duplicate({ ...options, maxRetriesPerRequest: null });
    own.on('error', () => undefined).on('message', onMessage);
    return {
      subscribe: (channel) => own.subscribe(channel),
      reconnect: () => own.disconnect(true),
      close: () => own.disconnect(),
    };
  }
}
