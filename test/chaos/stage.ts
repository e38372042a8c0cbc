import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { join } from 'node:path';
import { type SpawnedProgram, spawnNode } from '../support/built-app.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';
import { MAX_ACCOUNTS, MERCHANTS, MISTAKEN, Vault } from './merchants.js';
import { Nginx } from './nginx.js';
import { RedisPair } from './redis-pair.js';
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
 * Three instances of the app on one Redis behind one nginx, with an emulator of the upstream. Faults can be injected
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
    readonly redis: RedisPair,
    private readonly vault: Vault,
    private readonly ports: readonly number[],
    private readonly nginx: Nginx,
  ) {}

  static async start(): Promise<Stage> {
    const accounts = [APP, ...USERS, ...MERCHANTS, MISTAKEN];
    const upstream = await startXPayEmulator({ accounts, tokenLifeMs: TOKEN_LIFE_MS, ledgerSize: 1_000_000 });
    const redis = await RedisPair.start();
    const ports: number[] = [];
    while (ports.length < INSTANCES) ports.push(await freePort());
    const stage = new Stage(upstream, redis, await Vault.start(), ports, await Nginx.start(ports));
    try {
      for (let at = 0; at < INSTANCES; at++) await stage.boot(at);
      // nginx may still treat the instances as unavailable, because it started before them.
      await until(async () => (await fetch(`${stage.url}/me`)).status === 401, 'nginx reaches an instance');
      return stage;
    } catch (failure) {
      await stage[Symbol.asyncDispose]();
      throw failure;
    }
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
    const app = await spawnNode(join(import.meta.dirname, 'instance.mjs'), {
      PORT: String(this.ports[at]),
      VAULT_URL: this.vault.url,
      MAX_ACCOUNTS: String(MAX_ACCOUNTS),
      XPAY_BASE_URL: this.upstream.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: this.appSecret,
      XPAY_REDIS_URL: this.redis.wire.url,
      XPAY_ENCRYPTION_KEYS: this.#keys,
      XPAY_VERIFICATION_PERIOD_MS: String(PERIOD_MS),
    });
    this.apps[at] = app;
    await app.printed(/^Listening$/m);
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
    await this.vault[Symbol.asyncDispose]();
    await this.redis[Symbol.asyncDispose]();
    await this.upstream.stop();
  }
}
