import type { Observable } from 'rxjs';
import type { AccessToken } from '../../core/credentials.js';
import type { Store } from '../../core/store.js';
import type { TokenEvent, TokenStatus } from '../../core/token-events.js';
import type { CachedToken } from '../../token/cached-token.js';

/** Options of `getToken()`. */
export interface GetTokenOptions {
  /**
   * Stops only this caller's wait: the promise of this caller rejects with `signal.reason`. The request continues for the other
   * callers.
   */
  readonly signal?: AbortSignal;
}

/** Settings of the instance. */
export interface TokenServiceSettings {
  /** The token is sent only to this origin. */
  readonly baseUrl: string;
  /** Whether to obtain the token at boot. */
  readonly warmUp: boolean;
  /** The store that instances share. `undefined` if there is none. */
  readonly store: Store | undefined;
}

/**
 * Provides the access token of one account. `XPayTokenService` provides the token of the app account, and its method `forAccount`
 * returns an object for any other account. Obtains the token when it is first needed, and renews it in the background. Never
 * returns a token whose remaining lifetime is shorter than `token.hardMarginMs`, or than half of its whole lifetime if that is less.
 */
export abstract class XPayAccountTokens {
  /** Events of the token. Events contain no secret. */
  abstract readonly events: Observable<TokenEvent>;
  /** For this library's own services. @internal */
  abstract readonly source: CachedToken;

  /** @hidden */
  constructor(
    /** @internal */
    readonly settings: TokenServiceSettings,
  ) {}

  /**
   * Returns a usable token. If there is none, waits for one request to the upstream, which concurrent callers share.
   *
   * @throws XPayAuthError `upstream_…`, `credentials_rejected`, `configuration` or `shutting_down`. For an account of
   * `forAccount`, also `unknown_account` (404) if there is no such account, and each `HttpException` that your function
   * `accounts.credentials` throws. Never throws another code that stands for a fault of an incoming request, such as
   * `invalid_request`.
   */
  getToken(options?: GetTokenOptions): Promise<AccessToken> {
    return this.source.get(options?.signal);
  }

  /** Returns the current token if it is usable. Synchronous. Never starts a request. */
  peek(): AccessToken | undefined {
    return this.source.peek();
  }

  /** Returns the value of an `Authorization` header: `Bearer` and the token. Throws like {@link getToken}. */
  async authorizationHeader(options?: GetTokenOptions): Promise<string> {
    return `Bearer ${(await this.getToken(options)).value}`;
  }

  /**
   * Reports that the upstream rejected a token. Has no effect if the token is not the current token, so a thousand callers with
   * the same token cause one renewal. The first renewal starts immediately. Later renewals start at most once in 5 s.
   */
  invalidate(rejected: AccessToken | string): Promise<void> {
    this.source.invalidate(rejected);
    return Promise.resolve();
  }

  /**
   * Returns a new token, even if the current one is usable. If a renewal is in progress, returns its token, which belongs to the
   * credentials that were read when this renewal began. If the upstream has rejected the app account, a call during the
   * backoff throws that rejection.
   */
  refresh(): Promise<AccessToken> {
    return this.source.refresh();
  }

  /** Returns the status of the token and of the shared store, for a health page. Never starts a request. */
  status(): TokenStatus {
    return { ...this.source.status(), store: this.settings.store?.status() };
  }
}
