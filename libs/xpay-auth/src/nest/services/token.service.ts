import type { Logger, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import type { AccessToken } from '../../core/access-token.js';
import { type UpstreamReference, XPayAuthError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { TokenEvent, TokenStatus } from '../../core/token-events.js';
import type { CachedToken } from '../../token/cached-token.js';

/** How one caller asks for a token. */
export interface GetTokenOptions {
  /** Lets this caller leave: rejects with `signal.reason`. The request under way goes on for the others. */
  readonly signal?: AbortSignal;
}

/** What the service is told about its instance. */
export interface TokenServiceSettings {
  /** Where the token belongs: it is sent to this origin and no other. */
  readonly baseUrl: string;
  /** Obtain the token at boot. */
  readonly warmUp: boolean;
  /** What the instances share, if they do. */
  readonly store: Store | undefined;
}

/**
 * The app's own access token for the upstream. Obtained when first asked for, renewed behind its callers, and never handed
 * out past its margin.
 */
export class XPayTokenService implements OnModuleInit, OnModuleDestroy {
  /** What happens to the token, as it happens. Holds no secret. */
  readonly events: Observable<TokenEvent>;
  /** The flow itself, for this library's own services. @internal */
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
      try {
        this.#log(event);
      } finally {
        this.#events.next(event);
      }
    });
  }

  /**
   * A token that can be used now. Without one at hand, waits for the one request to the upstream that everybody shares.
   *
   * @throws XPayAuthError `upstream_…`, `credentials_rejected`, `configuration` or `shutting_down`; never a caller's code.
   */
  getToken(options?: GetTokenOptions): Promise<AccessToken> {
    return this.source.get(options?.signal);
  }

  /** The token at hand, if it may still be handed out. Synchronous; calls nobody and sets off nothing. */
  peek(): AccessToken | undefined {
    return this.source.peek();
  }

  /** `Bearer …`, for an `Authorization` header. Throws as {@link getToken} does. */
  async authorizationHeader(options?: GetTokenOptions): Promise<string> {
    return `Bearer ${(await this.getToken(options)).value}`;
  }

  /**
   * Tells that the upstream did not accept this token. Does nothing unless it is still the one at hand, so a thousand
   * callers who hold it cause one renewal; the first at once, then at most one in 5 s.
   */
  invalidate(rejected: AccessToken | string): Promise<void> {
    this.source.invalidate(rejected);
    return Promise.resolve();
  }

  /** A new token, however good the present one is. While our account is refused it waits out that period instead. */
  refresh(): Promise<AccessToken> {
    return this.source.refresh();
  }

  /** How the token and the shared store are doing; fit for a health page, calls nobody. */
  status(): TokenStatus {
    return { ...this.source.status(), store: this.settings.store?.status() };
  }

  /**
   * Nest calls it. With `token.warmUp` it obtains the token: a refused or missing account fails the boot, an upstream in
   * trouble does not, since it may be back before anybody asks.
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

  /** Nest calls it; everybody who waits is told `shutting_down`. */
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
          this.logger.warn(`${line}; the present one is good for ${seconds(event.usableForMs)}`);
        else this.logger.error(line);
        break;
      }
      case 'rejected':
        this.logger.warn('The upstream rejected the access token before its time');
        break;
      case 'expired':
        if (event.failures > 0) this.logger.error('The access token expired before it could be renewed');
        else this.logger.debug('The access token expired while nobody used it');
        break;
    }
  }

  #warnOfSkew(skewMs: number): void {
    if (skewMs === 0 || this.#saidSkew) return;
    this.#saidSkew = true;
    const which = skewMs > 0 ? 'ahead of' : 'behind';
    this.logger.warn(
      `The upstream's clock is ${seconds(Math.abs(skewMs))} ${which} ours; the shorter of both readings of a lifetime counts. ` +
        'Is the time of this machine right?',
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
