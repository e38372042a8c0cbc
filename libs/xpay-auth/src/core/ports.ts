import type { Credentials, AccessToken, Secret } from './credentials.js';
import type { UpstreamReference } from './errors.js';

/** One HTTP request to the upstream. The path is relative to the instance's `baseUrl`. */
export interface UpstreamRequest {
  /** The HTTP method. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /** All headers, `content-type` and `authorization` included. */
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
 * Sends requests to one upstream. Any status is an answer; no answer is an `XPayAuthError`: `upstream_unavailable`,
 * `upstream_timeout`, or `upstream_malformed` for a body that is too long, or that cannot be decoded and belongs to a status
 * below 300.
 */
export interface Upstream {
  /** Sends one request, within what is left of the deadline. */
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
  /** Whether the upstream calls it a login by API rather than by a person. */
  readonly isAPI: boolean;
  /** Lifetime of the token in ms from now, if the upstream states one. Takes precedence over `accessToken.expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** Ms since the epoch by the upstream's clock, to notice when its clock and ours disagree. */
  readonly upstreamNow?: number | undefined;
  /** Renews the token without the secret, if the upstream issues refresh tokens. */
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
  /** Headers of the caller. Those of the dialect take precedence. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, not encoded yet. */
  readonly body?: unknown;
  /**
   * The body as `encode` wrote it when the call was made. Set when `encode` is called again with a token: send this instead
   * of encoding `body`, which may have changed meanwhile.
   * @default `encode` is called for the first time
   */
  readonly encodedBody?: string | undefined;
  /** A v4 UUID that identifies the call in the upstream's records, if it has a place for one. */
  readonly uuid: string;
}

/** The meaning of an answer of the upstream's API. */
export type ApiOutcome =
  | {
      /** The call succeeded. */
      readonly kind: 'data';
      /** The returned data, unwrapped. */
      readonly data: unknown;
      /** The upstream's own references of the call. */
      readonly reference?: UpstreamReference | undefined;
    }
  | {
      /** The upstream did not accept the token. */
      readonly kind: 'token rejected';
      /** The upstream certainly had no other effect, so the call may be repeated. */
      readonly untouched: boolean;
      /** The upstream's own references of the call. */
      readonly reference?: UpstreamReference | undefined;
    };

/** How to call an upstream's API with a token. */
export interface ApiLanguage {
  /**
   * The request that makes this call with this token. Throws `configuration` for a body that the language cannot express:
   * `encodeJson` and `encodeForm` do.
   *
   * Called once when the call is made, with a token that is none, and then for each token that is tried. The body of the
   * first request is sent each time, whatever the later ones have.
   */
  encode(call: ApiCall, token: AccessToken): UpstreamRequest;
  /** Returns the meaning of the answer. Throws `upstream_business_error` where the upstream reports an error that is not about the token. */
  decode(answer: UpstreamAnswer, call: ApiCall, token: AccessToken): ApiOutcome;
  /**
   * Returns the template of a path for telemetry, without ids, names or secrets, such as `/giftcard/{identifier}`.
   * @default telemetry shows no path
   */
  template?(path: string): string | undefined;
}

/**
 * The protocol of one upstream. It builds requests and decodes answers. Time, caching, retries, deadlines and counting are
 * done elsewhere.
 *
 * Every method throws `XPayAuthError` and nothing else: `invalid_credentials` when the upstream refused the credentials,
 * `invalid_token` when it refused the refresh token, otherwise one of the `upstream_…` codes.
 *
 * @experimental until dialects of other people have proven it
 */
export interface Dialect {
  /** The name in keys and logs, such as `xpay`. */
  readonly name: string;
  /** The default of the option `baseUrl`; without it `baseUrl` is required. */
  readonly defaultBaseUrl?: string;
  /**
   * The access token contains a long-lived secret (such as a refresh token that never expires), so it is never returned to a
   * caller: `session.token: 'upstream'` and `session.keepUpstreamToken` are refused for this dialect. @default false
   */
  readonly accessTokenIsLongLivedSecret?: boolean;
  /** Exchanges credentials for a grant. */
  authenticate(credentials: Credentials, upstream: Upstream, purpose: Purpose): Promise<Grant>;
  /**
   * Renews a grant without the secret, if the upstream can. After `invalid_token` a full login is next. With a grant without a
   * refresh token, the old one stays in use. The username and scopes of the grant are ignored.
   */
  refresh?(refreshToken: Secret, upstream: Upstream): Promise<Grant>;
  /** The upstream's API, for `XPayHttpService`. */
  readonly api: ApiLanguage;
}
