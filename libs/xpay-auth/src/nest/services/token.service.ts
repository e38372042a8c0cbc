import type { Logger, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { hash } from 'node:crypto';
import { type Observable, Subject, filter } from 'rxjs';
import { type UpstreamReference, XPayAuthError, configurationError } from '../../core/errors.js';
import { swallowErrors } from '../../core/instrumentation.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { Accounts } from '../../token/accounts.js';
import type { CachedToken } from '../../token/cached-token.js';
import { type TokenServiceSettings, XPayAccountTokens } from './account-tokens.js';

/** The token chains of an instance. */
export interface TokenChains {
  readonly app: CachedToken;
  /** `undefined` without the option `accounts`. */
  readonly accounts: Accounts | undefined;
}

/**
 * Provides the app's access token for the upstream. Obtains the token when it is first needed, and renews it in the background.
 * Never returns a token whose remaining lifetime is shorter than `token.hardMarginMs`, or than half of its whole lifetime if that is less.
 *
 * Without the option `credentials` there is no app account, and every request of its token fails with `configuration`.
 */
export class XPayTokenService extends XPayAccountTokens implements OnModuleInit, OnModuleDestroy {
  /** Events of the app token, and of the tokens of all accounts of {@link forAccount}. Events contain no secret. */
  readonly events: Observable<TokenEvent>;
  /** For this library's own services. @internal */
  readonly source: CachedToken;
  readonly #accounts: Accounts | undefined;
  readonly #events = new Subject<TokenEvent>();
  #saidSkew = false;

  /** @hidden */
  constructor(
    private readonly logger: Logger,
    settings: TokenServiceSettings,
    createChains: (emit: (event: TokenEvent) => void) => TokenChains,
  ) {
    super(settings);
    this.events = this.#events.asObservable();
    const { app, accounts } = createChains((event) => {
      swallowErrors(() => this.#log(event));
      this.#events.next(event);
    });
    this.source = app;
    this.#accounts = accounts;
  }

  /**
   * Returns the tokens of another account: the one for which the option `accounts.credentials` returns credentials. The call is
   * cheap, and the returned object stays valid for as long as the app runs. Its methods call `accounts.credentials`
   * when a token is obtained, and fail with `unknown_account` (404) if there is no such account.
   *
   * @param id may come from a request. An id that is no string, is empty, is longer than 4,096 bytes in UTF-8 or is not
   *   well-formed Unicode is an unknown account
   * @throws XPayAuthError `configuration` without the option `accounts`
   */
  forAccount(id: string): XPayAccountTokens {
    if (this.#accounts === undefined) {
      throw configurationError('XPayAuthModule option accounts: not set, so forAccount() cannot be used. Set it.');
    }
    return new AccountTokens(this.settings, this.#accounts, id, this.events);
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
    this.#accounts?.stop();
    this.#events.complete();
  }

  #log(event: TokenEvent): void {
    const { account } = event;
    const token = account === undefined ? 'access token' : `access token of account ${digestOf(account)}`;
    switch (event.type) {
      case 'obtained':
      case 'refreshed':
      case 'adopted': {
        const line = `A${token.slice(1)} ${event.type}, good for ${seconds(event.lifeMs)}${quote(event.reference)}`;
        // An app may have thousands of accounts.
        if (account === undefined) this.logger.log(line);
        else this.logger.debug(line);
        this.#warnOfSkew(event.clockSkewMs);
        break;
      }
      case 'refresh-failed': {
        const line = `No new ${token}: ${event.code}, ${event.failures} in a row: ${event.reason}${quote(event.reference)}`;
        if (event.usableForMs > 0)
          this.logger.warn(`${line}; the current token is usable for ${seconds(event.usableForMs)}`);
        else this.logger.error(line);
        break;
      }
      case 'rejected':
        this.logger.warn(`The upstream rejected the ${token} before it expired`);
        break;
      case 'expired':
        if (event.failures > 0) this.logger.error(`The ${token} expired before it could be renewed`);
        else this.logger.debug(`The ${token} expired while it was not in use`);
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

/** The log names an account by the first 12 digits of the SHA-256 of its id, because ids may be personal data. */
function digestOf(account: string): string {
  return hash('sha256', account).slice(0, 12);
}

/** Keeps no state, so that it does not matter when the token of the account is evicted from memory. */
class AccountTokens extends XPayAccountTokens {
  constructor(
    settings: TokenServiceSettings,
    private readonly accounts: Accounts,
    private readonly id: string,
    private readonly all: Observable<TokenEvent>,
  ) {
    super(settings);
  }

  get events(): Observable<TokenEvent> {
    return this.all.pipe(filter(({ account }) => account === this.id));
  }

  get source(): CachedToken {
    return this.accounts.of(this.id);
  }
}
