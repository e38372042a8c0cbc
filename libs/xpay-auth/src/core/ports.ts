import type { Credentials, AccessToken, Secret } from './credentials.js';
import type { UpstreamReference } from './errors.js';

/** One HTTP request to the upstream. The path is relative to the instance's `baseUrl`. */
export interface UpstreamRequest {
  /** The HTTP method. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The path below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /** All headers, `content-type` and `authorization` included. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The encoded body, which is sent in UTF-8. @default no body */
  readonly body?: string;
}

/** The upstream's answer, whatever its status. */
export interface UpstreamAnswer {
  /** The HTTP status. It may be a redirect, because redirects are not followed. */
  readonly status: number;
  /**
   * The body as text, at most `http.maxResponseBytes`, decoded by the charset of its `Content-Type`, or as UTF-8 if it
   * declares none. Empty if the body cannot be decoded and the status is 300 or more.
   */
  readonly text: string;
  /** Time at which the answer had arrived, in ms since the epoch by our clock. */
  readonly receivedAt: number;
  /** Time of the answer in ms since the epoch by the upstream's clock, from its `Date` header, which has whole seconds. */
  readonly upstreamNow: number | undefined;
  /** Returns a header by its name in any case; `undefined` if the answer does not have that header. */
  header(name: string): string | undefined;
}

/**
 * Sends requests to one upstream. Returns an answer with any status. Throws an `XPayAuthError` if there is no answer:
 * `upstream_unavailable`, `upstream_timeout`, or `upstream_malformed`. An answer is `upstream_malformed` if its body is too long,
 * or if its body cannot be decoded and its status is below 300.
 */
export interface Upstream {
  /** Sends one request, within the rest of the deadline. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
}

/** The purpose of an authentication. */
export type Purpose = 'own token' | 'verification' | 'login';

/** The upstream's grant for credentials that it accepts. */
export interface Grant {
  /** The token that the upstream gave to these credentials. */
  readonly accessToken: AccessToken;
  /** The upstream's name for the user. */
  readonly username: string;
  /** The scopes that the upstream states, without those that they imply. */
  readonly scopes: readonly string[];
  /** Whether the upstream reports a login by API rather than by a person. */
  readonly isAPI: boolean;
  /** Lifetime of the token in ms from now, if the upstream states one. Takes precedence over `accessToken.expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** Time of the answer in ms since the epoch by the upstream's clock. Shows whether that clock and ours disagree. */
  readonly upstreamNow?: number | undefined;
  /** Renews the token without the secret, if the upstream issues refresh tokens. */
  readonly refreshToken?: Secret | undefined;
  /** The upstream's own references of the login. */
  readonly reference?: UpstreamReference | undefined;
}

/** A call of the upstream's API, other than authentication. */
export interface ApiCall {
  /** The HTTP method. */
  readonly method: UpstreamRequest['method'];
  /** The path below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /** Headers of the caller. Those of the dialect take precedence. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body before encoding. */
  readonly body?: unknown;
  /**
   * The body that `encode` returned when it was called for the first time. If it is set, use it instead of encoding `body` again,
   * because `body` may have changed meanwhile.
   * @default undefined when `encode` is called for the first time
   */
  readonly encodedBody?: string | undefined;
  /** A v4 UUID that identifies the call in the upstream's records, if it has a place for one. */
  readonly uuid: string;
}

/** The answer to a call that succeeded. */
export interface ApiData {
  /** The call succeeded. */
  readonly kind: 'data';
  /** The returned data, unwrapped. */
  readonly data: unknown;
  /**
   * The upstream's text about the call. @default none, for an upstream without one
   */
  readonly message?: string | undefined;
  /**
   * The other fields of the envelope, as they were received. @default `{}`, for an upstream without an envelope
   */
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  /** The upstream's own references of the call. */
  readonly reference?: UpstreamReference | undefined;
}

/** The meaning of an answer of the upstream's API. */
export type ApiOutcome =
  | ApiData
  | {
      /** The upstream did not accept the token. */
      readonly kind: 'token rejected';
      /** Whether the call certainly had no effect at the upstream, so that it may be repeated. */
      readonly untouched: boolean;
      /** The upstream's own references of the call. */
      readonly reference?: UpstreamReference | undefined;
    };

/** The answer to a call for a page. */
export interface ApiPageAnswer {
  /** The returned data, unwrapped. */
  readonly data: unknown;
  /** The other fields of the envelope. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** One page of a list of the upstream. */
export interface ApiPage {
  /** The items of this page. */
  readonly items: readonly unknown[];
  /** The body of the call for the next page. @default none: this page is the last one */
  readonly next?: unknown;
}

/** How to read a list of the upstream page by page, for `XPayHttpService.pages`. */
export interface ApiPaging {
  /**
   * Returns the body of the call for the first page. The body is a copy, so later changes of the argument have no effect. Throws
   * `configuration` for an argument that cannot ask for a page.
   */
  first(body: unknown): unknown;
  /** Returns the page in the answer to a call with this body. Throws `upstream_malformed` if the answer has no list. */
  read(answer: ApiPageAnswer, body: unknown): ApiPage;
}

/** How to call an upstream's API with a token. */
export interface ApiLanguage {
  /**
   * Returns the request for this call with this token. Throws `configuration` for a body that cannot be encoded, as `encodeJson`
   * and `encodeForm` do.
   *
   * `encode` is called once when the call is made, with a placeholder instead of a token, and then once for each token that is
   * tried. The body of the first request is sent each time. The bodies of the later requests are ignored.
   */
  encode(call: ApiCall, token: AccessToken): UpstreamRequest;
  /**
   * Returns the meaning of the answer. Throws `upstream_business_error` if the upstream reports an error that is not about the
   * token.
   */
  decode(answer: UpstreamAnswer, call: ApiCall, token: AccessToken): ApiOutcome;
  /**
   * Returns the template of a path for telemetry, without ids, names or secrets, such as `/giftcard/{identifier}`.
   * @default telemetry shows no path
   */
  template?(path: string): string | undefined;
  /**
   * How to read a list page by page. @default none: `XPayHttpService.pages` throws `configuration`
   */
  readonly paging?: ApiPaging;
}

/**
 * The protocol of one upstream. A dialect builds requests and decodes answers. Other parts of the library do the timing, caching,
 * retries, deadlines and counting.
 *
 * Every method throws only `XPayAuthError`: `invalid_credentials` if the upstream rejected the credentials, `invalid_token` if it
 * rejected the refresh token, otherwise one of the `upstream_…` codes.
 *
 * @experimental until dialects of other people have proven it
 */
export interface Dialect {
  /** The name in keys and logs, such as `xpay`. */
  readonly name: string;
  /** The default of the option `baseUrl`; without it `baseUrl` is required. */
  readonly defaultBaseUrl?: string;
  /**
   * Whether the access token contains a long-lived secret, such as a refresh token that never expires. If so, it must not be
   * returned to a caller, and the options `session.token: 'upstream'`, `session.keepUpstreamToken` and
   * `verification.keepUpstreamToken` stop the boot.
   * @default false
   */
  readonly accessTokenIsLongLivedSecret?: boolean;
  /** Exchanges credentials for a grant. */
  authenticate(credentials: Credentials, upstream: Upstream, purpose: Purpose): Promise<Grant>;
  /**
   * Renews a grant by its refresh token instead of the secret, if the upstream has refresh tokens. If `refresh` throws
   * `invalid_token`, the library logs in. If the new grant has no refresh token, the library keeps the old one. The username and
   * the scopes of the new grant are ignored.
   */
  refresh?(refreshToken: Secret, upstream: Upstream): Promise<Grant>;
  /** The upstream's API, for `XPayHttpService`. */
  readonly api: ApiLanguage;
}
