import { axiosTransport, createAxios } from '../http/axios-transport.js';
import { UpstreamClient } from '../http/upstream-client.js';
import type { ResolvedOptions } from '../nest/options/resolve-options.js';

/** The fix of a connection that cannot be opened. */
export const NETWORK =
  'Check baseUrl, the network and the firewall. The library ignores HTTP_PROXY and HTTPS_PROXY; if the machine needs a proxy, ' +
  'set http.agent in code.';

/** Returns a client as an instance of the module creates it. */
export function clientOf({ http, baseUrl, clock }: ResolvedOptions): UpstreamClient {
  return new UpstreamClient({
    transport: axiosTransport(createAxios(http)),
    baseUrl,
    clock,
    timeoutMs: http.timeoutMs,
  });
}

/** The deadline of a lookup, or of the opening of a connection. */
export function limitsOf({ clock, http }: ResolvedOptions) {
  return { clock, ms: http.timeoutMs, error: timedOut };
}

function timedOut(): Error {
  return Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
}

/** Returns the host of a URL, an IPv6 address without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Returns Node's name for the cause of a failure. */
export function codeOf(thrown: unknown): string {
  const { code, message } = (thrown instanceof Error ? thrown : {}) as Partial<NodeJS.ErrnoException>;
  return code ?? (typeof thrown === 'string' ? thrown : (message ?? 'no reason given'));
}
