import axios, { type AxiosInstance, type CreateAxiosDefaults } from 'axios';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

/** The option `http`, resolved, as far as one request is concerned. */
export interface AxiosSettings {
  /** Ms for a whole request; see `UpstreamClient`. */
  readonly timeoutMs: number;
  /** Bytes of the longest body that is read, once it is unpacked. */
  readonly maxResponseBytes: number;
  /** Instead of agents of our own that keep connections alive. */
  readonly agent?: { readonly http?: HttpAgent | undefined; readonly https?: HttpsAgent | undefined } | undefined;
}

/** As Node's own global agents are made, which an app may have replaced. */
const KEPT_ALIVE = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

/**
 * An axios of our own, so that an app's interceptors and defaults never see credentials. It follows no redirect (a 307
 * would send the secret elsewhere), goes through no proxy but that of an agent it was given, calls any status an answer and
 * leaves the body alone.
 */
export function createAxios(settings: AxiosSettings): AxiosInstance {
  const own = axios.create();
  // `create` has merged in whatever `axios.defaults` of the whole app hold: an adapter, headers, a proxy. None of it stays.
  for (const key of Reflect.ownKeys(own.defaults)) Reflect.deleteProperty(own.defaults, key);
  Object.assign(own.defaults, {
    adapter: 'http',
    headers: {},
    timeout: settings.timeoutMs,
    transitional: {},
    maxRedirects: 0,
    maxContentLength: settings.maxResponseBytes,
    responseType: 'arraybuffer',
    validateStatus: () => true,
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    proxy: false,
    httpAgent: settings.agent?.http ?? new HttpAgent(KEPT_ALIVE),
    httpsAgent: settings.agent?.https ?? new HttpsAgent(KEPT_ALIVE),
  } satisfies CreateAxiosDefaults);
  return own;
}
