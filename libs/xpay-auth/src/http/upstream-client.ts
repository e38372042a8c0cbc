import type { Clock } from '../core/clock.js';
import type { Credentials, Secret } from '../core/credentials.js';
import { XPayAuthError, configurationError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Dialect, Purpose, Upstream, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import { decodeText, parseHttpDate } from '../core/decoders.js';
import { transportFailure } from './failure.js';
import { type Transport, type TransportAnswer, TransportFailure } from './transport.js';

export interface UpstreamClientParts {
  readonly transport: Transport;
  readonly baseUrl: string;
  readonly clock: Clock;
  /** Deadline in ms of a request, including its repetition if there is one. */
  readonly timeoutMs: number;
  /** @default an instrumentation without observers */
  readonly instrumentation?: Instrumentation;
}

/** Facts about a request, for {@link UpstreamClient.send} and for the observers of the instrumentation. */
export interface RequestFacts {
  /** The path that observers may record. It contains no secrets, names or ids. @default no path is recorded */
  readonly shown?: string | undefined;
  /**
   * Whether the request is a login. A login may be repeated, because a second login has no further effect at the upstream.
   * @default false
   */
  readonly isLogin?: boolean;
}

/**
 * Sends requests to the upstream. Throws the failures of `Upstream`, and `configuration` for a path that is not below
 * `baseUrl`.
 */
export class UpstreamClient {
  private readonly base: URL;
  /** The path of `baseUrl` without a trailing slash. */
  private readonly basePath: string;
  private readonly instrumentation: Instrumentation;
  /** The last path with its URL. Logins have the same path, so the URL is not computed again for each login. */
  private last: { readonly path: string; readonly url: string } | undefined;

  constructor(private readonly parts: UpstreamClientParts) {
    this.base = new URL(parts.baseUrl);
    this.basePath = this.base.pathname.replace(/\/$/, '');
    this.instrumentation = parts.instrumentation ?? new Instrumentation();
  }

  /**
   * Sends one request. If a login was sent on a reused connection that was reset before any byte of an answer, the login is sent
   * once more, immediately and within the same deadline, because the upstream had most likely closed the idle connection before.
   * No other request is repeated, because it may have had an effect.
   */
  async send(request: UpstreamRequest, signal?: AbortSignal, facts: RequestFacts = {}): Promise<UpstreamAnswer> {
    const url = this.urlOf(request.path);
    const { transport, clock, timeoutMs } = this.parts;
    const { method, body } = request;
    const ending = new AbortController();
    const sent = {
      url,
      method,
      headers: { accept: 'application/json', ...lowerCased(request.headers ?? {}) },
      body,
      signal: ending.signal,
    };
    let wasStale = false;
    const exchange = async (): Promise<UpstreamAnswer> => {
      let answer: TransportAnswer;
      try {
        answer = await transport(sent);
      } catch (thrown) {
        wasStale = thrown instanceof TransportFailure && thrown.wasStaleConnection;
        throw transportFailure(thrown, this.base.origin);
      }
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
    // This timer limits the whole exchange. The timeout of a transport is not enough: after the first bytes of an answer, some
    // transports end only silent connections.
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
      // The message does not contain the path, because the path may contain a secret, such as the identifier of a gift card.
      throw configurationError('The path of a request must begin with one "/" and stay below baseUrl');
    }
    return new URL(this.parts.baseUrl + path).href;
  }

  /**
   * Whether a URL is below `baseUrl` after `..` and `%2e%2e` are resolved. Other paths of the host may belong to another service.
   */
  private isBelow(address: string): boolean {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    return url?.origin === this.base.origin && url.pathname.startsWith(`${this.basePath}/`);
  }
}

/** Returns headers with names in lower case. If two names are equal then, the later one is kept. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function answerOf(response: TransportAnswer, receivedAt: number): UpstreamAnswer {
  const header = (name: string): string | undefined => {
    const value: unknown = response.headers[name.toLowerCase()];
    // Of a repeated header, Node keeps the first line, and undici keeps all lines.
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return typeof first === 'string' ? first : undefined;
  };
  const text = decodeText(response.body, header('content-type'));
  // An error can be handled by its status alone. A success cannot be used without a body.
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

/**
 * Returns the functions by which one instance calls its upstream. The instrumentation observes each call. `refresh` is
 * `undefined` if the dialect has no refresh.
 */
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
        // A refresh is not repeated, because an upstream may treat a refresh token that arrives twice as stolen (RFC 9700
        // §4.14.2).
        const sender = upstream(signal, [refreshToken.reveal()], false);
        const operation = { type: 'ask upstream', operation: 'refresh', purpose: 'own token' } as const;
        return instrumentation.observe(operation, () => refresh(refreshToken, sender), { signal });
      }),
    /** Sends one request to the API. The dialect decodes its answer. */
    sendApi: (request: UpstreamRequest, signal: AbortSignal | undefined) =>
      client.send(request, signal, { shown: dialect.api.template?.(request.path) }),
  };
}

/**
 * Matches a path whose segments have at most 32 characters and only letters, digits, `_`, `.` and `-`. The paths that vendors
 * document have this form.
 */
const PLAIN_PATH = /^(?:\/[\w.-]{1,32})+$/;

/**
 * Returns the path of a login or refresh for observers. Returns `undefined` if the path may contain a secret or a user name,
 * because a custom dialect might write one into the path.
 */
function shownPath(path: string, secrets: readonly string[]): string | undefined {
  const [shown = ''] = path.split(/[?#]/);
  return PLAIN_PATH.test(shown) && !secrets.some((secret) => shown.includes(secret)) ? shown : undefined;
}
