import axios, { type AxiosInstance } from 'axios';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { isLoopback } from './base-url.js';

export interface AxiosSettings {
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly agent?: { readonly http?: HttpAgent; readonly https?: HttpsAgent } | undefined;
}

/**
 * An axios of our own, so that an app's interceptors and defaults never see credentials. It follows no redirect (a 307
 * would send the secret elsewhere), goes through no proxy to loopback, calls any status an answer and leaves the body
 * alone.
 */
export function createAxios(settings: AxiosSettings): AxiosInstance {
  return axios.create({
    timeout: settings.timeoutMs,
    maxRedirects: 0,
    maxContentLength: settings.maxResponseBytes,
    responseType: 'arraybuffer',
    validateStatus: () => true,
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    ...(isLoopback(new URL(settings.baseUrl).hostname) && { proxy: false }),
    ...(settings.agent?.http && { httpAgent: settings.agent.http }),
    ...(settings.agent?.https && { httpsAgent: settings.agent.https }),
  });
}
