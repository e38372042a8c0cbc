import type { Credentials, Secret } from '../core/credentials.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { Dialect, Purpose, Upstream, UpstreamRequest } from '../core/ports.js';
import type { UpstreamClient } from './upstream-client.js';

/** Returns the calls of one instance to its upstream, observed. `refresh` is `undefined` if the dialect has none. */
export function upstreamCalls(
  dialect: Dialect,
  client: Pick<UpstreamClient, 'send'>,
  instrumentation: Instrumentation,
) {
  const upstream = (signal: AbortSignal, secrets: readonly string[], isLogin: boolean): Upstream => ({
    send: (request) => client.send(request, signal, { shown: shownPath(request.path, secrets), isLogin }),
  });
  const refresh = dialect.refresh?.bind(dialect);
  return {
    authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => {
      const sender = upstream(signal, [credentials.username, credentials.secretKey], true);
      const operation = { type: 'ask upstream', operation: 'authenticate', purpose } as const;
      return instrumentation.observe(operation, () => dialect.authenticate(credentials, sender, purpose), { signal });
    },
    refresh:
      refresh &&
      ((refreshToken: Secret, signal: AbortSignal) => {
        // Not repeated: an upstream may take a refresh token that comes twice for a stolen one (RFC 9700 §4.14.2).
        const sender = upstream(signal, [refreshToken.reveal()], false);
        const operation = { type: 'ask upstream', operation: 'refresh', purpose: 'own token' } as const;
        return instrumentation.observe(operation, () => refresh(refreshToken, sender), { signal });
      }),
    /** Sends one request to the API. The dialect decodes its answer. */
    sendApi: (request: UpstreamRequest, signal: AbortSignal | undefined) =>
      client.send(request, signal, { shown: dialect.api.template?.(request.path) }),
  };
}

/** Short words without encoding, as a vendor chooses them. */
const PLAIN_PATH = /^(?:\/[\w.-]{1,32})+$/;

/** Returns the path of a request that authenticates, unless it may hold a secret: a dialect might put a name there. */
function shownPath(path: string, secrets: readonly string[]): string | undefined {
  const [shown = ''] = path.split(/[?#]/);
  return PLAIN_PATH.test(shown) && !secrets.some((secret) => shown.includes(secret)) ? shown : undefined;
}
