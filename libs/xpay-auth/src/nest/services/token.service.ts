import type { Logger, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import type { AccessToken } from '../../core/credentials.js';
import { type UpstreamReference, XPayAuthError } from '../../core/errors.js';
import { swallowErrors } from '../../core/instrumentation.js';
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
 * Provides the app's access token for the upstream. Obtains the token when it is first needed, and renews it in the background.
 * Never returns a token whose remaining lifetime is shorter than `token.hardMarginMs`.
 */
export class XPayTokenService implements OnModuleInit, OnModuleDestroy {
  /** Events of the token. Events contain no secret. */
  readonly events: Observable<TokenEvent>;
  /** For this library's own services. @internal */
  readonly source: CachedToken;
  readonly #events = new Subject<TokenEvent>();
  #saidSkew = false;

  /** @hidden */
  constructor(
    private readonly logger: Logger,
    /** @internal */
    readonly settings: TokenServiceSettings,
    createSource: (emit: (event: TokenEvent) => void) => CachedToken,
  ) {
    this.events = this.#events.asObservable();
    this.source = createSource((event) => {
      swallowErrors(() => this.#log(event));
      this.#events.next(event);
    });
  }

  /**
   * Returns a usable token. If there is none, waits for one request to the upstream, which concurrent callers share.
   *
   * @throws XPayAuthError `upstream_…`, `credentials_rejected`, `configuration` or `shutting_down`. Never throws a code
   * that stands for a fault of an incoming request, such as `invalid_request`.
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
   * Returns a new token, even if the current one is usable. If the upstream has rejected the app account, a call during the
   * backoff throws that rejection.
   */
  refresh(): Promise<AccessToken> {
    return this.source.refresh();
  }

  /** Returns the status of the token and of the shared store, for a health page. Never starts a request. */
  status(): TokenStatus {
    return { ...this.source.status(), store: this.settings.store?.status() };
  }

  /**
   * Called by Nest. With `token.warmUp`, obtains the token. A rejected or missing account fails the boot; a failure of the
   * upstream does not, because it may recover before a token is needed.
   */
  async onModuleInit(): Promise<void> {
    if (!this.settings.warmUp) return;
    try {
      await this.source.get();
    } catch (failure) {
      if (!(failure instanceof XPayAuthError) || failure.trouble !== 'ours') return;
      const why = `XPayAuthModule option token.warmUp: no token at boot. ${failure.message}`;
      throw new XPayAuthError(failure.code, why, { cause: failure, reference: failure.reference });
    }
  }

  /** Called by Nest. Every waiting caller is rejected with `shutting_down`. */
  onModuleDestroy(): void {
    this.source.stop();
    this.#events.complete();
  }

  #log(event: TokenEvent): void {
    switch (event.type) {
      case 'obtained':
      case 'refreshed':
      case 'adopted':
        this.logger.log(`Access token ${event.type}, good for ${seconds(event.lifeMs)}${quote(event.reference)}`);
        this.#warnOfSkew(event.clockSkewMs);
        break;
      case 'refresh-failed': {
        const line = `No new access token: ${event.code}, ${event.failures} in a row: ${event.reason}${quote(event.reference)}`;
        if (event.usableForMs > 0)
          this.logger.warn(`${line}; the current token is usable for ${seconds(event.usableForMs)}`);
        else this.logger.error(line);
        break;
      }
      case 'rejected':
        this.logger.warn('The upstream rejected the access token before it expired');
        break;
      case 'expired':
        if (event.failures > 0) this.logger.error('The access token expired before it could be renewed');
        else this.logger.debug('The access token expired while it was not in use');
        break;
    }
  }

  #warnOfSkew(skewMs: number): void {
    if (skewMs === 0 || this.#saidSkew) return;
    this.#saidSkew = true;
    const which = skewMs > 0 ? 'ahead of' : 'behind';
    this.logger.warn(
      `The upstream's clock is ${seconds(Math.abs(skewMs))} ${which} ours. The shorter of the two resulting token lifetimes is used. ` +
        'Check the clock of this machine.',
    );
  }
}

function seconds(ms: number): string {
  const days = Math.round(ms / 86_400_000);
  return days > 1 ? `${days} days` : `${Math.round(ms / 1_000)} s`;
}

function quote(reference: UpstreamReference | undefined): string {
  const parts = Object.entries(reference ?? {}).map(([name, value]) => `${name} ${String(value)}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
