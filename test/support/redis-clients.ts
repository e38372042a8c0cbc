import { Redis } from 'ioredis';
import { type RedisStoreOptions, redisStore } from 'nestjs-xpay-auth/redis';
import { createClient } from 'redis';
import type { Store } from 'nestjs-xpay-auth';
import { newKey } from './encryption-keys.js';

type StoreSettings = Partial<Omit<RedisStoreOptions, 'url' | 'client' | 'cluster'>>;

/** Opens a store on the server at this port of loopback. */
export type OpenStore = (port: number, settings?: StoreSettings) => Store & AsyncDisposable;

/** Deadlines for a server that stays available, so that a busy machine does not make the store unavailable. */
export const PATIENT = { connectTimeoutMs: 20_000, commandTimeoutMs: 20_000 };

const encryptionKeys = [{ id: 'k1', key: newKey() }];

/** The ways to connect a store: with a separate connection, or with a client of the app. All of them share one key. */
export const CLIENTS: Readonly<Record<string, OpenStore>> = {
  'a url': (port, settings) =>
    disposable(redisStore({ url: `redis://127.0.0.1:${port}`, encryptionKeys, ...settings })),
  "an ioredis client of the app's own": (port, settings) => {
    const client = new Redis(port, '127.0.0.1').on('error', () => undefined);
    return disposable(redisStore({ client, encryptionKeys, ...settings }), () => client.disconnect());
  },
  'a node-redis client': (port, settings) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    return disposable(redisStore({ client, encryptionKeys, ...settings }));
  },
};

/** Makes a store disposable. Its disposal closes the store, and then the client of the app. */
export function disposable(store: Store, disconnect = (): unknown => undefined): Store & AsyncDisposable {
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await store.close();
      await disconnect();
    },
  });
}
