import type { AccessToken } from './access-token.js';
import type { Credentials } from './credentials.js';
import type { UpstreamReference } from './errors.js';
import type { Secret } from './secret.js';

/** One HTTP request to the upstream. The path is relative to the instance's `baseUrl`. */
export interface UpstreamRequest {
  /** The HTTP method. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /** Every header that the language asks for, `content-type` and `authorization` included. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as it goes over the wire, in UTF-8; none when left out. */
  readonly body?: string;
}

/** The upstream's answer, whatever its status. */
export interface UpstreamAnswer {
  /** The HTTP status, redirects included: none is followed. */
  readonly status: number;
  /**
   * The body as text, at most `http.maxResponseBytes`, decoded by the charset of its `Content-Type`, or as UTF-8 if it
   * declares none. Empty if that is not possible and the status is 300 or more.
   */
  readonly text: string;
  /** Ms since the epoch by our clock when the answer had arrived. */
  readonly receivedAt: number;
  /** Ms since the epoch by the upstream's clock: its `Date` header, whole seconds. */
  readonly upstreamNow: number | undefined;
  /** A header by its name, in any case; `undefined` when the answer has none of that name. */
  header(name: string): string | undefined;
}

/**
 * Speaks to one upstream. Any status is an answer; no answer at all is an `XPayAuthError`: `upstream_unavailable`,
 * `upstream_timeout`, or `upstream_malformed` for a body that is too long, or that cannot be decoded and belongs to a status
 * below 300.
 */
export interface Upstream {
  /** Sends one request, within what is left of the deadline. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
}

/** What credentials are presented for. */
export type Purpose = 'own token' | 'verification' | 'login';

/** What an upstream grants to credentials it accepts. */
export interface Grant {
  /** The token that the upstream gave to these credentials. */
  readonly accessToken: AccessToken;
  /** The upstream's name for the user. */
  readonly username: string;
  /** What the upstream says they may do, without what that implies. */
  readonly scopes: readonly string[];
  /** Whether the upstream calls it a login by API rather than by a person. */
  readonly isAPI: boolean;
  /** Ms the token lives from now, where the upstream says it that way. Wins over `accessToken.expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** Ms since the epoch by the upstream's clock, to notice when its clock and ours disagree. */
  readonly upstreamNow?: number | undefined;
  /** What renews the token without the secret, where the upstream has such a thing. */
  readonly refreshToken?: Secret | undefined;
  /** The upstream's own references of the login. */
  readonly reference?: UpstreamReference | undefined;
}

/** A call of the upstream's API beside authentication. */
export interface ApiCall {
  /** The HTTP method. */
  readonly method: UpstreamRequest['method'];
  /** Below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /** Headers of the caller's own; those of the language win. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What is to be sent, before the language has put it into words. */
  readonly body?: unknown;
  /**
   * The body as `encode` wrote it when the call was made. Set when `encode` is called again with a token: send this instead
   * of encoding `body`, which may have changed meanwhile.
   * @default `encode` is called for the first time
   */
  readonly encodedBody?: string | undefined;
  /** A v4 UUID that names the call in the upstream's records, where it keeps such. */
  readonly uuid: string;
}

/** What an answer of the upstream's API means. */
export type ApiOutcome =
  | {
      /** The call did what it should. */
      readonly kind: 'data';
      /** What it returned, unwrapped. */
      readonly data: unknown;
      /** The upstream's own references of the call. */
      readonly reference?: UpstreamReference | undefined;
    }
  | {
      /** The upstream did not accept the token. */
      readonly kind: 'token rejected';
      /** The upstream certainly did nothing else, so the call may be repeated. */
      readonly untouched: boolean;
      /** The upstream's own references of the call. */
      readonly reference?: UpstreamReference | undefined;
    };

/** How an upstream's API is called with a token. */
export interface ApiLanguage {
  /**
   * The request that makes this call with this token. Throws `configuration` for a body that the language cannot express:
   * `encodeJson` and `encodeForm` do.
   *
   * Called once when the call is made, with a token that is none, and then for each token that is tried. The body of the
   * first request is sent each time, whatever the later ones have.
   */
  encode(call: ApiCall, token: AccessToken): UpstreamRequest;
  /** What the answer to it means. Throws `upstream_business_error` where the upstream reports an error that is not about the token. */
  decode(answer: UpstreamAnswer, call: ApiCall, token: AccessToken): ApiOutcome;
  /**
   * What telemetry may show of a path: one of few, without ids, names or secrets, such as `/giftcard/{identifier}`.
   * @default nothing is shown
   */
  template?(path: string): string | undefined;
}

/**
 * One upstream's language: how to ask it and what its answers mean. It builds requests and decodes answers; time,
 * caching, retries, deadlines and counting are not its business.
 *
 * Every method throws `XPayAuthError` and nothing else: `invalid_credentials` when the upstream refused the credentials,
 * `invalid_token` when it refused the refresh token, otherwise one of the `upstream_…` codes.
 *
 * @experimental until dialects of other people have proven it
 */
export interface Dialect {
  /** Names the language in keys and logs, such as `xpay`. */
  readonly name: string;
  /** Where the upstream lives unless `baseUrl` says otherwise; without it `baseUrl` is required. */
  readonly defaultBaseUrl?: string;
  /**
   * The access token holds more than access (a refresh token that never expires, say), so it is never handed to a
   * caller: `session.token: 'upstream'` and `session.keepUpstreamToken` are refused for this dialect. @default false
   */
  readonly accessTokenIsLongLivedSecret?: boolean;
  /** Exchanges credentials for a grant. */
  authenticate(credentials: Credentials, upstream: Upstream, purpose: Purpose): Promise<Grant>;
  /**
   * Renews a grant without the secret, where the upstream can. `invalid_token` makes a full login the next thing. A grant
   * that brings no refresh token leaves the old one in use; its name and scopes are not looked at.
   */
  refresh?(refreshToken: Secret, upstream: Upstream): Promise<Grant>;
  /** How its API is called with a token, for `XPayHttpService`. */
  readonly api: ApiLanguage;
}
