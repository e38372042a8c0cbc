import axios, { type AxiosInstance, type CreateAxiosDefaults } from 'axios';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { TransportSettings } from './transport.js';

/** The options of Node's own global agents, which an app may have replaced. */
const KEEP_ALIVE = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

/**
 * Creates an axios of our own, so that an app's interceptors and defaults never see credentials. It follows no redirect (a 307
 * would send the secret elsewhere), uses no proxy except that of an agent in the settings, resolves for every status, and
 * transforms no body.
 */
export function createAxios(settings: TransportSettings): AxiosInstance {
  const own = axios.create();
  // `create` has merged in the app's own `axios.defaults`: an adapter, headers, a proxy, transformations. All of it goes.
  for (const key of Reflect.ownKeys(own.defaults)) Reflect.deleteProperty(own.defaults, key);
  Object.assign(own.defaults, {
    adapter: 'http',
    headers: {},
    timeout: settings.timeoutMs,
    transitional: {},
    maxRedirects: 0,
    maxContentLength: settings.maxResponseBytes,
    responseType: 'arraybuffer',
    // Resolves for every status.
    validateStatus: null,
    proxy: false,
    httpAgent: settings.agent?.http ?? new HttpAgent(KEEP_ALIVE),
    httpsAgent: settings.agent?.https ?? new HttpsAgent(KEEP_ALIVE),
  } satisfies CreateAxiosDefaults);
  return own;
}
