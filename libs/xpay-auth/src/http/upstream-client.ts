import type { Clock } from '../core/clock.js';
import type { Credentials, Secret } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Dialect, Purpose, Upstream, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import { decodeText, parseHttpDate } from '../core/decoders.js';
import { transportFailure } from './failure.js';
import { type Transport, type TransportAnswer, TransportFailure } from './transport.js';

export interface UpstreamClientParts {
  readonly transport: Transport;
  readonly baseUrl: string;
  readonly clock: Clock;
  /** Ms for a whole request, its repeat included. */
  readonly timeoutMs: number;
  /** @default no one observes */
  readonly instrumentation?: Instrumentation;
}

/** A request, for those who observe it and for {@link UpstreamClient.send}. */
export interface RequestFacts {
  /** The path without secrets, names and ids. @default no path is shown */
  readonly shown?: string | undefined;
  /** It logs in, so it may be repeated: the upstream does nothing that a second login would do again. @default false */
  readonly isLogin?: boolean;
}

/** Sends requests to the upstream. Throws the failures of `Upstream`, and `configuration` for a path that leads elsewhere. */
export class UpstreamClient {
  private readonly base: URL;
  /** The path of `baseUrl` without a trailing slash. */
  private readonly basePath: string;
  private readonly instrumentation: Instrumentation;
  /** The URL of the last path. A crowd of first-seen callers sends logins to the same path. */
  private last: { readonly path: string; readonly url: string } | undefined;

  constructor(private readonly parts: UpstreamClientParts) {
    this.base = new URL(parts.baseUrl);
    this.basePath = this.base.pathname.replace(/\/$/, '');
    this.instrumentation = parts.instrumentation ?? new Instrumentation();
  }

  /**
   * Sends one request. A login is sent once more, at once and before the same timeout, if its reused connection was reset
   * before any byte of an answer: the upstream had most likely closed it. No other request is repeated, because it may have
   * had an effect.
   */
  async send(request: UpstreamRequest, signal?: AbortSignal, facts: RequestFacts = {}): Promise<UpstreamAnswer> {
    const url = this.urlOf(request.path);
    const { transport, clock, timeoutMs } = this.parts;
    const { method, body } = request;
    const ending = new AbortController();
    const sent = {
      url,
      method,
      headers: { accept: 'application/json', ...request.headers },
      body,
      signal: ending.signal,
    };
    let wasStale = false;
    const exchange = async (): Promise<UpstreamAnswer> => {
      const answer = await transport(sent).catch((thrown: unknown) => {
        wasStale = thrown instanceof TransportFailure && thrown.wasStaleConnection;
        throw transportFailure(thrown, this.base.origin);
      });
      return answerOf(answer, clock.now());
    };
    const template = facts.shown && this.basePath + facts.shown;
    const operation = { type: 'exchange', method, url, template } as const;
    const observed = (): Promise<UpstreamAnswer> =>
      this.instrumentation.observe(operation, exchange, {
        judge: ({ status }) => ({ outcome: 'ok', status }),
        signal,
      });

    const abort = (): void => ending.abort();
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    // A transport's own timeout may only watch for silence once an answer has begun; this one limits the whole exchange.
    const cancelTimer = clock.setTimer(abort, timeoutMs);
    try {
      return await observed();
    } catch (thrown) {
      if (facts.isLogin !== true || !wasStale || ending.signal.aborted) throw thrown;
      return await observed();
    } finally {
      cancelTimer();
      signal?.removeEventListener('abort', abort);
    }
  }

  private urlOf(path: string): string {
    if (this.last?.path !== path) this.last = { path, url: this.checkedUrlOf(path) };
    return this.last.url;
  }

  private checkedUrlOf(path: string): string {
    // Some servers decode an encoded slash before they resolve dots.
    const readings = [path, path.replace(/%(?:2f|5c)/gi, '/')];
    if (!/^\/(?!\/)/.test(path) || !readings.every((reading) => this.isBelow(this.parts.baseUrl + reading))) {
      throw new XPayAuthError(
        'configuration',
        `The path of a request must begin with one "/" and stay below baseUrl, not ${JSON.stringify(path)}`,
      );
    }
    return new URL(this.parts.baseUrl + path).href;
  }

  /** Whether a URL is below `baseUrl` after `..` and `%2e%2e` are resolved: the rest of the host may be another service. */
  private isBelow(address: string): boolean {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    return url?.origin === this.base.origin && url.pathname.startsWith(`${this.basePath}/`);
  }
}

function answerOf(response: TransportAnswer, receivedAt: number): UpstreamAnswer {
  const header = (name: string): string | undefined => {
    const value: unknown = response.headers[name.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const text = decodeText(response.body, header('content-type'));
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
