import type { AxiosInstance, AxiosResponse } from 'axios';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Credentials, Secret } from '../core/credentials.js';
import type { Dialect, Purpose, Upstream, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import { decodeText, parseHttpDate } from './answer.js';
import { transportFailure } from './failure.js';

/** Sends requests to the upstream. Throws the failures of `Upstream`, and `configuration` for a path that leads elsewhere. */
export class UpstreamClient {
  private readonly base: URL;
  /** The path of `baseUrl` without a trailing slash. */
  private readonly basePath: string;

  constructor(
    private readonly axios: AxiosInstance,
    private readonly baseUrl: string,
    private readonly clock: Clock,
    private readonly instrumentation: Instrumentation = new Instrumentation(),
  ) {
    this.base = new URL(baseUrl);
    this.basePath = this.base.pathname.replace(/\/$/, '');
  }

  /** @param shown the path without secrets, names and ids, for the observer. @default no path is shown */
  async send(request: UpstreamRequest, signal?: AbortSignal, shown?: string): Promise<UpstreamAnswer> {
    const url = this.urlOf(request.path);
    const template = shown && this.basePath + shown;
    const operation = { type: 'exchange', method: request.method, url, template } as const;
    return this.instrumentation.observe(operation, () => this.exchange(url, request, signal), {
      judge: ({ status }) => ({ outcome: 'ok', status }),
      signal,
    });
  }

  private async exchange(url: string, request: UpstreamRequest, signal?: AbortSignal): Promise<UpstreamAnswer> {
    const { method, headers, body: data } = request;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    // axios' own timeout only watches for silence once an answer has begun; this one limits the whole exchange.
    const cancelTimer = this.clock.setTimer(abort, this.axios.defaults.timeout ?? Infinity);
    const response = await this.axios
      .request<Buffer>({
        url,
        method,
        headers: { accept: 'application/json', ...headers },
        ...(data !== undefined && { data }),
        signal: controller.signal,
      })
      .catch((thrown: unknown) => {
        throw transportFailure(thrown, this.base.origin);
      })
      .finally(() => {
        cancelTimer();
        signal?.removeEventListener('abort', abort);
      });
    return answerOf(response, this.clock.now());
  }

  private urlOf(path: string): string {
    // Some servers decode an encoded slash before they resolve dots.
    const readings = [path, path.replace(/%(?:2f|5c)/gi, '/')];
    if (!/^\/(?!\/)/.test(path) || !readings.every((reading) => this.isBelow(this.baseUrl + reading))) {
      throw new XPayAuthError(
        'configuration',
        `The path of a request must begin with one "/" and stay below baseUrl, not ${JSON.stringify(path)}`,
      );
    }
    return new URL(this.baseUrl + path).href;
  }

  /** Whether a URL is below `baseUrl` after `..` and `%2e%2e` are resolved: the rest of the host may be another service. */
  private isBelow(address: string): boolean {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    return url?.origin === this.base.origin && url.pathname.startsWith(`${this.basePath}/`);
  }
}

function answerOf(response: AxiosResponse<Buffer>, receivedAt: number): UpstreamAnswer {
  const header = (name: string): string | undefined => {
    const value: unknown = response.headers[name.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const text = decodeText(response.data, header('content-type'));
  // An error needs no body, its status is enough. A success is worth nothing without one.
  if (text === undefined && response.status < 300) {
    throw new XPayAuthError(
      'upstream_malformed',
      'The bytes of the answer are not in the charset that its Content-Type declares, or not in UTF-8 if it declares none',
    );
  }
  return {
    status: response.status,
    text: text ?? '',
    receivedAt,
    upstreamNow: parseHttpDate(header('date') ?? ''),
    header,
  };
}

/** Returns the calls of one instance to its upstream, observed. `refresh` is `undefined` if the dialect has none. */
export function upstreamCalls(
  dialect: Dialect,
  client: Pick<UpstreamClient, 'send'>,
  instrumentation: Instrumentation,
) {
  const upstream = (signal: AbortSignal, secrets: readonly string[]): Upstream => ({
    send: (request) => client.send(request, signal, shownPath(request.path, secrets)),
  });
  const refresh = dialect.refresh?.bind(dialect);
  return {
    authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => {
      const sender = upstream(signal, [credentials.username, credentials.secretKey]);
      const operation = { type: 'ask upstream', operation: 'authenticate', purpose } as const;
      return instrumentation.observe(operation, () => dialect.authenticate(credentials, sender, purpose), { signal });
    },
    refresh:
      refresh &&
      ((refreshToken: Secret, signal: AbortSignal) => {
        const sender = upstream(signal, [refreshToken.reveal()]);
        const operation = { type: 'ask upstream', operation: 'refresh', purpose: 'own token' } as const;
        return instrumentation.observe(operation, () => refresh(refreshToken, sender), { signal });
      }),
    /** Sends one request to the API. The dialect decodes its answer. */
    sendApi: (request: UpstreamRequest, signal: AbortSignal | undefined) =>
      client.send(request, signal, dialect.api.template?.(request.path)),
  };
}

/** Short words without encoding, as a vendor chooses them. */
const PLAIN_PATH = /^(?:\/[\w.-]{1,32})+$/;

/** Returns the path of a request that authenticates, unless it may hold a secret: a dialect might put a name there. */
function shownPath(path: string, secrets: readonly string[]): string | undefined {
  const [shown = ''] = path.split(/[?#]/);
  return PLAIN_PATH.test(shown) && !secrets.some((secret) => shown.includes(secret)) ? shown : undefined;
}
