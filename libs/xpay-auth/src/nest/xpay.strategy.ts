import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { Strategy } from 'passport-custom';
import { lengthPrefixed } from '../core/cache-key.js';
import { type ChallengeContext, challengeFor } from '../core/challenge.js';
import type { KeyedDigest } from '../core/digest.js';
import { asXPayAuthError } from '../core/errors.js';
import type { Principal } from '../core/principal.js';
import type { CredentialVerifier, PresentedCredentials } from '../flows/credential-verifier.js';
import type { RememberedCaller } from '../flows/remembered-callers.js';
import type { Sessions } from '../flows/sessions.js';
import type { CallerReader, Presented, PresentedSecret } from './caller-reader.js';
import { toHttpException } from './http-exception.js';
import { type IncomingRequest, addressOf, authorizationOf, isFromScript } from './incoming-request.js';
import { DEFAULT_INSTANCE } from './options/resolve-options.js';

export interface XPayStrategyParts {
  readonly instance: string;
  readonly realm: string;
  readonly reader: CallerReader;
  readonly digest: KeyedDigest;
  readonly verifier: CredentialVerifier;
  readonly sessions: Sessions;
  readonly onUntrustedProxy: () => void;
}

/** What Passport puts on a strategy, in types that do not ask for Express' request. */
interface PassportDoor {
  /** Passport's name of the strategy. */
  name: string;
  success(user: unknown): void;
  fail(challenge: string, status: number): void;
  error(error: Error): void;
  authenticate(request: unknown): void;
}

/**
 * Who presents the credentials of a request. `XPayAuthGuard` calls {@link validate} on the instance of its own app; to
 * Passport it is the strategy `xpay` (a named instance's is `xpay-` and its name), for `AuthGuard('xpay')`.
 */
export class XPayStrategy extends (PassportStrategy(Strategy, 'xpay') as unknown as new () => PassportDoor) {
  readonly #parts: XPayStrategyParts;

  constructor(parts: XPayStrategyParts) {
    super();
    this.#parts = parts;
    this.name = parts.instance === DEFAULT_INSTANCE ? 'xpay' : `xpay-${parts.instance}`;
    passport.use(this.name, this as unknown as Parameters<typeof passport.use>[1]);
  }

  /**
   * The caller of this request; at once, without a promise, when remembered. Throws `XPayAuthError`: `missing_credentials`,
   * `invalid_credentials`, `invalid_token`, `invalid_request`, `too_many_attempts`, or what troubles the upstream.
   */
  validate(request: IncomingRequest): Principal | Promise<Principal> {
    const { digest, reader, verifier, sessions } = this.#parts;
    const header = authorizationOf(request);
    if (header === undefined || !reader.headerOnly) return this.#validateSlowly(request);
    const key = digest.of(header);
    const caller = verifier.recall(key);
    if (caller === undefined) return sessions.recall(key) ?? this.#validateSlowly(request);
    if (verifier.isDue(caller)) this.#renewBehind(key, caller, request, reader.read(request));
    return caller.principal;
  }

  /** What a 401 of this instance offers to this request. */
  challengeContext(request: IncomingRequest): ChallengeContext {
    return { realm: this.#parts.realm, schemes: this.#parts.reader.schemes, fromScript: isFromScript(request) };
  }

  /**
   * Passport's door. Bad or missing credentials are a *fail*, so that the next strategy of `AuthGuard(['xpay', 'jwt'])` gets
   * its turn; everything else is an *error* with its own status.
   */
  override authenticate(request: IncomingRequest): void {
    void Promise.resolve()
      .then(() => this.validate(request))
      .then(
        (principal) => this.success(principal),
        (thrown: unknown) => {
          const failure = asXPayAuthError(
            thrown,
            'configuration',
            'The check of the caller failed in an unexpected way',
          );
          if (failure.status === 401) this.fail(challengeFor(failure, this.challengeContext(request)) ?? 'xpay', 401);
          else this.error(toHttpException(failure));
        },
      );
  }

  /** The mixin would register every instance as `xpay` while it is being built; {@link XPayStrategy} does it by name. */
  protected getPassportInstance(): { use(): void } {
    return { use: () => undefined };
  }

  async #validateSlowly(request: IncomingRequest): Promise<Principal> {
    const { reader, verifier, sessions, digest } = this.#parts;
    const presented = reader.read(request);
    if ('token' in presented) return sessions.verify(presented.token);
    const key = digest.of(rememberedAs(presented));
    const caller = verifier.recall(key);
    if (caller === undefined) return verifier.verify(key, this.#present(request, presented));
    if (verifier.isDue(caller)) this.#renewBehind(key, caller, request, presented);
    return caller.principal;
  }

  #renewBehind(key: string, caller: RememberedCaller, request: IncomingRequest, presented: Presented): void {
    if ('token' in presented) return;
    this.#parts.verifier.renewBehind(key, caller, this.#present(request, presented));
  }

  #present(request: IncomingRequest, { scheme, credentials }: PresentedSecret): PresentedCredentials {
    const { address, untrustedProxy } = addressOf(request);
    if (untrustedProxy) this.#parts.onUntrustedProxy();
    return { scheme, credentials, address };
  }
}

/**
 * What a caller's key is the digest of. For Basic the canonical header: the spelling that clients send, so that the next
 * request is recognised by its raw header alone. A user name with a colon has no such header.
 */
function rememberedAs({ scheme, credentials: { username, secretKey } }: PresentedSecret): string {
  if (scheme !== 'Basic' || username.includes(':')) return lengthPrefixed([scheme, username, secretKey]);
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}
