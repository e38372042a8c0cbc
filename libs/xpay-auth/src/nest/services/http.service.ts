import type { OnModuleDestroy } from '@nestjs/common';
import { XPayAuthError, configurationError } from '../../core/errors.js';
import { Principal, callerTokenOf } from '../../core/principal.js';
import type { ApiClient, TokenSource } from '../../token/api-call.js';
import { type ApiCallsParts, XPayApiCalls } from './api-calls.js';
import type { XPayTokenService } from './token.service.js';

/**
 * Calls the upstream's API with the app token, and unwraps the answer. If the upstream rejects the token, the token is renewed,
 * and the call is repeated once if it certainly had no effect.
 *
 * Calls have the rights of the app account, so validate the input of a caller before you pass it on. For calls with the rights of
 * the caller, use {@link asCaller}.
 */
export class XPayHttpService extends XPayApiCalls implements OnModuleDestroy {
  readonly #stop: AbortController;
  readonly #parts: ApiCallsParts & { readonly issuer: symbol };
  readonly #tokens: XPayTokenService;

  /** @hidden */
  constructor(client: ApiClient & { readonly issuer: symbol }, tokens: XPayTokenService) {
    const stop = new AbortController();
    const parts = { ...client, stopped: stop.signal };
    super(parts, tokens.source);
    this.#stop = stop;
    this.#parts = parts;
    this.#tokens = tokens;
  }

  /**
   * Returns the same methods for another account: the one for which the option `accounts.credentials` returns credentials. Calls
   * fail with `unknown_account` (404) if there is no such account, and otherwise like those of this service.
   *
   * @example await xpay.forAccount('merchant-42').post('/client/wallets/find', { page: 1 })
   * @param id see `XPayTokenService.forAccount`
   * @throws XPayAuthError `configuration` without the option `accounts`
   */
  forAccount(id: string): XPayApiCalls {
    const account = this.#tokens.forAccount(id);
    return this.#callsWith({
      get: (signal) => account.source.get(signal),
      invalidate: (token) => account.source.invalidate(token),
    });
  }

  /**
   * Returns calls with the token that the upstream issued to this caller, so that the upstream checks the caller's rights. Needs
   * `verification.keepUpstreamToken` for callers who present credentials with each request, and `session.keepUpstreamToken` for
   * callers with a session. The app token is never used.
   *
   * A call rejects with `invalid_token` (401) if the session of the caller has ended, or if the upstream rejects the token of the
   * session, which then ends. Without a session, a call rejects with `upstream_unavailable` (503 and `Retry-After`) if the caller
   * was revoked, or if the upstream rejects the token; the next request of this caller is checked at the upstream again. If a later
   * check of the same credentials has replaced the rejected token, the call is repeated once with the new token, but only if it
   * certainly had no effect.
   *
   * @param principal a principal of this instance, from `@CurrentUser()` or `Session.principal`
   * @throws XPayAuthError `configuration` if another instance or a test has created the principal, for `undefined`, and if the
   * token was not kept. Nothing is sent.
   */
  asCaller(principal: Principal): XPayApiCalls {
    const { issuer } = this.#parts;
    if (!Principal.isIssuedBy(issuer, principal)) {
      throw configurationError(
        'asCaller() needs the principal of an authenticated caller of this instance, as @CurrentUser() returns it',
      );
    }
    const tokens = callerTokenOf(principal);
    if (tokens === undefined) {
      throw configurationError(
        'asCaller(): the token of this caller was not kept. Set verification.keepUpstreamToken: true for callers who present ' +
          'credentials with each request, and session.keepUpstreamToken: true for callers with a session',
      );
    }
    return this.#callsWith(tokens);
  }

  #callsWith(tokens: TokenSource): XPayApiCalls {
    return new XPayApiCalls(this.#parts, tokens);
  }

  /** Called by Nest. Calls in progress and later calls fail with `shutting_down`. */
  onModuleDestroy(): void {
    const message = 'The application is shutting down. It is not known whether the call in progress had an effect';
    this.#stop.abort(new XPayAuthError('shutting_down', message));
  }
}
