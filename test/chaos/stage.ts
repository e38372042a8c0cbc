import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SpawnedProgram, spawnBuiltApp } from '../support/built-app.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

export const APP = { username: 'app@example.test', secretKey: 'app-secret-of-the-start' };
export const USERS = Array.from({ length: 6 }, (_, i) => ({
  username: `user-${i}@example.test`,
  secretKey: `secret-${i}-of-the-start`,
  scopes: i % 3 === 0 ? ['tme_user', 'tme_admin'] : ['tme_user'],
}));

/** Verification period of the apps in ms. It is short, so that faults have an effect. */
export const PERIOD_MS = 5_000;
const TOKEN_LIFE_MS = 30_000;
const INSTANCES = 3;

/**
 * Three reference apps on one Redis behind one nginx, with an emulator of the upstream. Faults can be injected
 * everywhere.
 */
export class Stage implements AsyncDisposable {
  readonly #firstKey = newKey();
  #sealing = `k1:${this.#firstKey}`;
  #taught = '';
  #keys = this.#sealing;
  appSecret = APP.secretKey;
  readonly apps: SpawnedProgram[] = [];

  private constructor(
    readonly upstream: XPayEmulator,
    readonly redis: RedisServer,
    /** Proxy between the apps and Redis. */
    readonly wire: TcpProxy,
    private readonly ports: readonly number[],
    private readonly nginx: Nginx,
  ) {}

  static async start(): Promise<Stage> {
    const accounts = [APP, ...USERS];
    const upstream = await startXPayEmulator({ accounts, tokenLifeMs: TOKEN_LIFE_MS, ledgerSize: 1_000_000 });
    const redis = await RedisServer.start();
    const wire = await TcpProxy.before(redis.port);
    const ports: number[] = [];
    while (ports.length < INSTANCES) ports.push(await freePort());
    const stage = new Stage(upstream, redis, wire, ports, await Nginx.start(ports));
    for (let at = 0; at < INSTANCES; at++) await stage.boot(at);
    return stage;
  }

  get url(): string {
    return this.nginx.url;
  }

  /** The ports of nginx and of the instances. */
  get allPorts(): readonly number[] {
    return [Number(new URL(this.url).port), ...this.ports];
  }

  /** Starts an instance on the port that nginx uses for it. */
  async boot(at: number): Promise<void> {
    const app = await spawnBuiltApp({
      PORT: String(this.ports[at]),
      TRUST_PROXY: 'loopback',
      XPAY_BASE_URL: this.upstream.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: this.appSecret,
      XPAY_REDIS_URL: this.wire.url,
      XPAY_ENCRYPTION_KEYS: this.#keys,
      XPAY_VERIFICATION_PERIOD_MS: String(PERIOD_MS),
    });
    this.apps[at] = app;
    await app.printed(/Listening on/);
  }

  /** Restarts the instances one by one, as a deployment does. */
  async restartAll(): Promise<void> {
    for (let at = 0; at < INSTANCES; at++) {
      this.apps[at]?.kill('SIGTERM');
      await this.apps[at]?.ended();
      await this.boot(at);
    }
  }

  /** First step of a rotation: every instance can decrypt with the new key, and none encrypts with it. */
  teachKey(): void {
    this.#taught = `k${Date.now()}:${newKey()}`;
    this.#keys = `${this.#sealing},${this.#taught},index:${this.#firstKey}`;
  }

  /** Second step of a rotation: the instances encrypt with the new key. */
  promoteKey(): void {
    this.#keys = `${this.#taught},${this.#sealing},index:${this.#firstKey}`;
    this.#sealing = this.#taught;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const app of this.apps) await app[Symbol.asyncDispose]();
    await this.nginx[Symbol.asyncDispose]();
    await this.wire[Symbol.asyncDispose]();
    await this.redis[Symbol.asyncDispose]();
    await this.upstream.stop();
  }
}

/** A load balancer that only alternates between the instances. */
class Nginx implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(ports: readonly number[]): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'chaos-nginx-'));
    const port = await freePort();
    await writeFile(join(folder, 'nginx.conf'), configuration(port, ports));
    const args = ['-e', 'stderr', '-p', folder, '-c', 'nginx.conf', '-g', 'daemon off; master_process off;'];
    const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
    const nginx = spawn('nginx', args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'ignore'] });
    let failure: Error | undefined;
    nginx.once('error', (error) => (failure = error));
    const url = `http://127.0.0.1:${port}`;
    await until(async () => {
      if (failure !== undefined) throw new Error(`nginx does not start: ${failure.message}`);
      return fetch(url).then(
        () => true,
        () => false,
      );
    }, 'nginx answers');
    return new Nginx(url, nginx, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** nginx skips an instance that is gone for a second, and waits for one that is suspended. */
function configuration(port: number, ports: readonly number[]): string {
  return `
pid nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream apps {
    ${ports.map((to) => `server 127.0.0.1:${to} fail_timeout=1s;`).join('\n    ')}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://apps;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $http_x_client_address;
      proxy_read_timeout 20s;
    }
  }
}
`;
}
