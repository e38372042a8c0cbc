import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Ms for which the old primary, which is a replica then, still receives the connections of the apps. */
const NOTICED_AFTER_MS = 500;

/** A Redis with a replica. The apps reach the primary through a proxy. */
export class RedisPair implements AsyncDisposable {
  private constructor(
    private primary: RedisServer,
    private replica: RedisServer,
    /** Proxy between the apps and the primary. */
    readonly wire: TcpProxy,
  ) {}

  static async start(): Promise<RedisPair> {
    const settings = ['--repl-diskless-sync-delay', '0'];
    const primary = await RedisServer.start(...settings);
    const replica = await RedisServer.start(...settings);
    await replica.client.replicaof('127.0.0.1', primary.port);
    return new RedisPair(primary, replica, await TcpProxy.before(primary.port));
  }

  /** Kills the primary. Its data is lost, also at the replica once {@link resume} was called. */
  kill(): Promise<void> {
    return this.primary.kill();
  }

  resume(): Promise<void> {
    return this.primary.resume();
  }

  freeze(): void {
    this.primary.freeze();
  }

  thaw(): void {
    this.primary.thaw();
  }

  flush(): Promise<unknown> {
    return this.primary.client.flushall();
  }

  /** The replica becomes the primary, without a lost write. The connections of the apps stay at the old primary. */
  async failover(): Promise<void> {
    const { primary, replica } = this;
    await until(async () => {
      const info = await replica.client.info('replication').catch(() => '');
      return info.includes(`master_port:${primary.port}`) && info.includes('master_link_status:up');
    }, 'the replica has the data of the primary');
    await primary.client.call('FAILOVER', 'TO', '127.0.0.1', String(replica.port));
    await until(async () => (await replica.client.role())[0] === 'master', 'the replica is the primary');
    [this.primary, this.replica] = [replica, primary];
    setTimeout(() => (this.wire.target = replica.port), NOTICED_AFTER_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wire[Symbol.asyncDispose]();
    await this.replica[Symbol.asyncDispose]();
    await this.primary[Symbol.asyncDispose]();
  }
}
