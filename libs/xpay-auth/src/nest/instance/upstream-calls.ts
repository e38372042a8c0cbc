import type { Credentials, Secret } from '../../core/credentials.js';
import type { Dialect, Grant, Purpose, Upstream, UpstreamAnswer, UpstreamRequest } from '../../core/ports.js';
import type { Instrumentation } from '../../core/instrumentation.js';
import type { UpstreamClient } from '../../http/upstream-client.js';

/** What an instance may ask its upstream, each question in sight of who looks on. */
export interface UpstreamCalls {
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  /** `undefined` where the upstream's language has no such thing. */
  readonly refresh: ((refreshToken: Secret, signal: AbortSignal) => Promise<Grant>) | undefined;
  /** One request to the API; what its answer means is for the dialect to say. */
  readonly sendApi: (request: UpstreamRequest, signal: AbortSignal | undefined) => Promise<UpstreamAnswer>;
}

export function upstreamCalls(
  dialect: Dialect,
  client: Pick<UpstreamClient, 'send'>,
  instrumentation: Instrumentation,
): UpstreamCalls {
  const upstream = (signal: AbortSignal, secrets: readonly string[]): Upstream => ({
    send: (request) => client.send(request, signal, shownPath(request.path, secrets)),
  });
  const renewal = dialect.refresh?.bind(dialect);
  return {
    authenticate(credentials, purpose, signal) {
      const { username, secretKey } = credentials;
      const ask = () => dialect.authenticate(credentials, upstream(signal, [username, secretKey]), purpose);
      return instrumentation.observe({ type: 'ask upstream', operation: 'authenticate', purpose }, ask, { signal });
    },
    refresh:
      renewal &&
      ((refreshToken, signal) => {
        const ask = () => renewal(refreshToken, upstream(signal, [refreshToken.reveal()]));
        return instrumentation.observe({ type: 'ask upstream', operation: 'refresh', purpose: 'own token' }, ask, {
          signal,
        });
      }),
    sendApi: (request, signal) => client.send(request, signal, dialect.api.template?.(request.path)),
  };
}

/** Words that a vendor chose: nothing encoded, nothing long. */
const PLAIN_PATH = /^(?:\/[\w.-]{1,32})+$/;

/** The path of a request that authenticates, unless it may hold what nobody may see: a dialect might put a name there. */
function shownPath(path: string, secrets: readonly string[]): string | undefined {
  const [shown = ''] = path.split(/[?#]/);
  return PLAIN_PATH.test(shown) && !secrets.some((secret) => shown.includes(secret)) ? shown : undefined;
}
