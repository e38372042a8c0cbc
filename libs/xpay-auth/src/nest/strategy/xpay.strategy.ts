import { Logger } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-custom';
import { type ChallengeContext, challengeFor } from '../../core/challenge.js';
import type { Clock } from '../../core/clock.js';
import { type AuthorizationLine, type ConnectionDigests, dropLine, keepLine } from '../../core/credentials.js';
import { type XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { Instrumentation } from '../../core/instrumentation.js';
import type { AuditSink } from '../../core/audit-events.js';
import type { CredentialVerifier } from '../../verification/credential-verifier.js';
import type { ReceivedCredentials } from '../../verification/presented-credentials.js';
import type { Sessions } from '../../sessions/sessions.js';
import {
  type CallerReader,
  type Presented,
  type PresentedSecret,
  connectionOf,
  disconnectOf,
  isFromScript,
  schemeOf,
  mayLackHeaders,
  refuseTooManyHeaders,
  soleAuthorizationOf,
} from '../request/caller-reader.js';
import { ClientAddresses } from '../../rate-limit/client-address.js';
import { toHttpException } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { recordPassport } from '../requirement/requirement.js';
import { DEFAULT_INSTANCE } from '../options/resolve-options.js';
import { register, registerStrategyOfApp, strategyFor, unregister } from './passport-registry.js';

export interface XPayStrategyParts {
  readonly instance: string;
  readonly realm: string;
  readonly reader: CallerReader;
  readonly clock: Clock;
  readonly digests: ConnectionDigests;
  /** Whether the last `Authorization` line of each connection is kept, so that a repeated line needs no new digest. */
  readonly cachePerConnection: boolean;
  readonly verifier: CredentialVerifier;
  readonly sessions: Sessions;
  readonly audit: AuditSink;
  readonly onUntrustedProxy: () => void;
  readonly instrumentation: Instrumentation;
}

/** The methods that Passport adds to a strategy, without Express' request types. */
interface PassportDoor {
  /** Passport's name of the strategy. */
  name: string;
  /** Tells Passport that the caller is authenticated. */
  success(user: unknown): void;
  /** Tells Passport that the credentials are missing or rejected. Passport then tries the next strategy. */
  fail(challenge: string, status: number): void;
  /** Tells Passport that the check failed, so the credentials were neither accepted nor rejected. */
  error(error: Error): void;
  /** Passport calls this method for each request. */
  authenticate(request: unknown): void;
}

const logger = new Logger('XPayAuth');

/**
 * Authenticates the caller of a request. `XPayAuthGuard` calls {@link validate} directly. For `AuthGuard('xpay')`, the class is
 * also registered at Passport as the strategy `xpay`, or `xpay-` and the name of a named instance.
 */
export class XPayStrategy extends (PassportStrategy(Strategy, 'xpay') as unknown as new () => PassportDoor) {
  readonly #parts: XPayStrategyParts;
  readonly #addresses = new ClientAddresses();
  /**
   * Passport calls methods on an object whose prototype is the strategy. That object cannot access private members (`#`), so it
   * uses this reference to the strategy.
   */
  protected readonly self = this;

  /** @hidden */
  constructor(parts: XPayStrategyParts) {
    super();
    this.#parts = parts;
    this.name = parts.instance === DEFAULT_INSTANCE ? 'xpay' : `xpay-${parts.instance}`;
    register(this);
  }

  /**
   * Returns the principal of this request. Returns no promise if the caller is cached. Rejects with `XPayAuthError`:
   * `missing_credentials`, `invalid_credentials`, `invalid_token`, `invalid_request`, `too_many_attempts`, or a failure of the
   * upstream.
   */
  validate(request: IncomingRequest): Principal | Promise<Principal> {
    const { cachePerConnection, digests, reader } = this.#parts;
    const text = reader.headerOnly ? soleAuthorizationOf(request) : undefined;
    if (text === undefined) return this.#validateSlowly(request);
    const line = digests.lineOf(text, cachePerConnection ? connectionOf(request) : undefined);
    const principal = text.startsWith('Bearer ') ? this.#recallSession(line) : this.#recallCaller(request, line);
    if (principal !== undefined) {
      keepLine(line);
      return principal;
    }
    dropLine(line);
    return this.#validateSlowly(request, line);
  }

  #recallSession({ digest }: AuthorizationLine): Principal | undefined {
    const { reader, sessions } = this.#parts;
    return reader.takesBearer ? sessions.recall(digest) : undefined;
  }

  /** Returns the principal of a cached caller, and starts the renewal if it is due. */
  #recallCaller(request: IncomingRequest, line: AuthorizationLine): Principal | undefined {
    const { clock, reader, verifier } = this.#parts;
    const now = clock.monotonic();
    const caller = verifier.recall(line.digest, now);
    if (caller !== undefined && now >= caller.renewFrom) {
      const presented = reader.read(request);
      if (!('token' in presented)) verifier.renew(caller, this.#receive(request, presented, line));
    }
    return caller?.principal;
  }

  /** Returns the values from which the challenge of a 401 to this request is built. @internal */
  challengeContext(request: IncomingRequest): ChallengeContext {
    return { realm: this.#parts.realm, schemes: this.#parts.reader.schemes, fromScript: isFromScript(request) };
  }

  /**
   * Returns the client's address, for counting attempts; `undefined` if an untrusted proxy hides the address. Throws
   * `invalid_request` if Node may have dropped the header of a proxy. @internal
   */
  countedAddressOf(request: IncomingRequest): string | undefined {
    refuseTooManyHeaders(request);
    const { address, untrustedProxy } = this.#addresses.of(request);
    if (untrustedProxy) this.#parts.onUntrustedProxy();
    return address;
  }

  /**
   * Called by Passport. Calls `fail` for missing or rejected credentials, so that Passport tries the next strategy of
   * `AuthGuard(['xpay', 'jwt'])`. Calls `error`, with the status of the failure, for every other failure.
   */
  override authenticate(request: IncomingRequest): void {
    let strategy: XPayStrategy = this.self;
    const failed = (thrown: unknown): void => {
      const failure = unexpected(thrown);
      if (failure.code === 'missing_credentials') strategy.#refused(failure);
      // The message is not sent to the caller, and Nest does not log an `HttpException`.
      if (failure.code === 'configuration') logger.error(`configuration: ${failure.message}`);
      if (failure.getStatus() === 401) {
        this.fail(challengeFor(failure, strategy.challengeContext(request)) ?? 'xpay', 401);
      } else this.error(toHttpException(failure));
    };
    (async () => {
      strategy = strategyFor(request, this.self);
      const principal = await strategy.validate(request);
      recordPassport(request, principal);
      return principal;
    })()
      .then((principal) => this.success(principal), failed)
      // A failure of a callback must not become an unhandled rejection, which ends the process.
      .catch((thrown: unknown) => this.error(toHttpException(unexpected(thrown))));
  }

  /** Records that Passport calls this strategy for the requests of this app. @internal */
  serve(platformApp: unknown): void {
    registerStrategyOfApp(platformApp, this);
  }

  /** Called by Nest. Removes this strategy from Passport's registry. */
  onModuleDestroy(): void {
    unregister(this);
  }

  /**
   * Disables the registration by `PassportStrategy`, which would register every instance as `xpay`. The constructor registers each
   * instance under its own name instead.
   */
  protected getPassportInstance(): { use(): void } {
    return { use: () => undefined };
  }

  async #validateSlowly(request: IncomingRequest, header?: AuthorizationLine): Promise<Principal> {
    const { verifier, sessions } = this.#parts;
    let presented: Presented | undefined;
    try {
      const { reader } = this.#parts;
      presented = header === undefined ? reader.read(request) : reader.readHeader(header.text);
      if ('token' in presented) return await sessions.verify(presented.token);
    } catch (thrown) {
      const failure = unexpected(thrown);
      // Missing credentials are not recorded here, because the route may accept anonymous requests.
      if (failure.code !== 'missing_credentials') this.#refused(failure);
      throw this.#audited(failure, request, presented?.scheme);
    }
    return verifier.verify(this.#receive(request, presented, header));
  }

  #receive(
    request: IncomingRequest,
    { scheme, credentials }: PresentedSecret,
    header: AuthorizationLine | undefined,
  ): ReceivedCredentials {
    const address = this.countedAddressOf(request);
    return { scheme, credentials, address, header, onDisconnect: disconnectOf(request) };
  }

  #refused({ code }: XPayAuthError): void {
    this.#parts.instrumentation.record({ type: 'refused', code });
  }

  /**
   * Emits an audit event for a rejection that the verifier has not reported. A request without credentials causes no audit event.
   */
  #audited(
    failure: XPayAuthError,
    request: IncomingRequest,
    scheme = schemeOf(request, this.#parts.reader.schemes),
  ): XPayAuthError {
    const { code: reason, trouble, reference } = failure;
    if (trouble === 'caller' && reason !== 'missing_credentials') {
      // Without the header of a proxy, the address would be that of the proxy.
      const address = mayLackHeaders(request) ? undefined : this.#addresses.of(request).address;
      this.#parts.audit({ type: 'refused', scheme, username: undefined, address, reason, reference });
    }
    return failure;
  }
}

function unexpected(thrown: unknown): XPayAuthError {
  return asXPayAuthError(thrown, 'configuration', 'The check of the caller failed in an unexpected way');
}
