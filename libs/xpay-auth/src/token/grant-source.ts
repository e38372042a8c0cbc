import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import type { Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Grant } from '../core/ports.js';
import type { Secret } from '../core/secret.js';
import { type Account, AppAccount } from './app-account.js';
import { BackedOff, type BackoffPolicy } from '../async/backoff.js';
import { RejectedAccount } from './rejected-account.js';

/** How the app's own account becomes a grant. */
export interface GrantSourceParts {
  readonly clock: Clock;
  readonly policy: BackoffPolicy;
  /** Reads the app's own account; asked anew for every attempt. */
  readonly credentials: () => Promise<Credentials>;
  readonly authenticate: (credentials: Credentials, signal: AbortSignal) => Promise<Grant>;
  readonly refresh: ((refreshToken: Secret, signal: AbortSignal) => Promise<Grant>) | undefined;
}

/** One attempt to get a grant. */
export interface Attempt {
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Ms for which the token at hand may still be handed out; 0 without one. */
  readonly usableForMs: number;
  /** Ends it; an attempt past its end goes no further and changes nothing any more. */
  readonly signal: AbortSignal;
  /** What it waits for at this moment. */
  waitsFor: 'credentials' | 'upstream';
}

/** A grant, and where in its life it is. */
export interface Obtained extends Grant {
  /** Ms of `lifeMs` that were over when it was brought: another instance has got it. */
  readonly ageMs?: number;
  /** Ms between asking the upstream and having its answer. */
  readonly elapsedMs?: number;
}

/** How an attempt ended for the token source. */
export type AttemptEnding =
  /** Its token is at hand and lives for `lifeMs` from now. */
  | { readonly kind: 'held'; readonly lifeMs: number }
  /** There is none, and the upstream rests for `pauseMs`. */
  | { readonly kind: 'failed'; readonly error: XPayAuthError; readonly pauseMs: number }
  /** Nobody waits for it any more: no token, and no reason to rest. */
  | { readonly kind: 'stopped' };

/** What other instances do to the token. */
export interface TokenListener {
  /** One of them has got a newer one; {@link Grants.newer} brings it. */
  readonly newer: () => void;
  /** The upstream did not accept the one at hand from one of them. */
  readonly rejected: () => void;
  /** Whether the upstream has rejected this one here: of no use, whoever got it. */
  readonly isRejected: (token: AccessToken) => boolean;
}

/** Where a token source gets its grants. What is optional concerns those who share them. */
export interface Grants {
  /** Which credentials the upstream refused, and for how long they rest. */
  readonly refused: RejectedAccount;
  /** Ms that one attempt may take, waiting for others included. */
  readonly deadlineMs?: number;
  obtain(attempt: Attempt): Promise<Obtained>;
  /** The credentials tried last were refused. Returns the ms for which they are not tried again. */
  rest(error: XPayAuthError, mono: number): number;
  /** What another instance has got since; `undefined`: nothing of use. Never rejects. */
  newer?(): Promise<Obtained | undefined>;
  /** Hears how every attempt ended, and that what {@link newer} brought is at hand. */
  ended?(ending: AttemptEnding): void;
  /** The upstream did not accept the token at hand. */
  rejected?(): void;
  /** The app is being closed: hears and tells nothing more. */
  stop?(): void;
}

/** Gets grants for the app's own account: with the refresh token where there is one, else with user name and key. */
export class GrantSource implements Grants {
  /** Which credentials the upstream refused, and for how long they rest. */
  readonly refused: RejectedAccount;
  readonly #account: AppAccount;
  /** Version of the credentials tried last, to which the refresh token belongs. */
  #version: string | undefined;
  #refreshToken: Secret | undefined;

  constructor(private readonly parts: GrantSourceParts) {
    this.refused = new RejectedAccount(parts.policy);
    this.#account = new AppAccount(parts.credentials);
  }

  /** One attempt, at most two requests and two more where the credentials changed meanwhile. */
  async obtain(attempt: Attempt): Promise<Obtained> {
    return this.forAccount(await this.read(attempt), attempt, (account) => this.obtainFor(account, attempt));
  }

  /** With these credentials; when they are refused, once more if they have changed meanwhile. Throws `BackedOff`. */
  async forAccount<T>(account: Account, attempt: Attempt, run: (account: Account) => Promise<T>): Promise<T> {
    const objection = this.refused.objection(account.version, attempt.startedAt);
    if (objection !== undefined) throw new BackedOff(objection);
    try {
      return await run(account);
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown;
      const now = await this.read(attempt);
      if (now.version === account.version) throw thrown;
      return run(now);
    }
  }

  /** With the refresh token, where it belongs to these credentials, else with user name and key. */
  async obtainFor(account: Account, attempt: Attempt): Promise<Obtained> {
    if (account.version !== this.#version) this.#refreshToken = undefined;
    const grant = (await this.#refresh(attempt)) ?? (await this.#authenticate(account, attempt));
    this.#refreshToken = grant.refreshToken ?? this.#refreshToken;
    return grant;
  }

  /** The credentials tried last were refused. Returns the ms for which they are not tried again. */
  rest(error: XPayAuthError, mono: number): number {
    return this.refused.add(this.#version, error, mono);
  }

  /** The account as it is now. */
  async read(attempt: Attempt): Promise<Account> {
    attempt.waitsFor = 'credentials';
    const account = await this.#account.read();
    attempt.signal.throwIfAborted();
    attempt.waitsFor = 'upstream';
    return account;
  }

  async #refresh({ signal }: Attempt): Promise<Obtained | undefined> {
    const [refresh, refreshToken] = [this.parts.refresh, this.#refreshToken];
    if (refresh === undefined || refreshToken === undefined) return undefined;
    const grant = await this.#accepted(() => refresh(refreshToken, signal), signal);
    if (grant instanceof XPayAuthError) this.#refreshToken = undefined;
    return grant instanceof XPayAuthError ? undefined : grant;
  }

  async #authenticate({ credentials, version }: Account, { signal }: Attempt): Promise<Obtained> {
    this.#version = version;
    const grant = await this.#accepted(() => this.parts.authenticate(credentials, signal), signal);
    if (grant instanceof XPayAuthError) throw grant;
    return grant;
  }

  /** The grant, or the refusal. Throws what is neither, and the reason of the signal once that has ended the attempt. */
  async #accepted(ask: () => Promise<Grant>, signal: AbortSignal): Promise<Obtained | XPayAuthError> {
    signal.throwIfAborted();
    const askedAt = this.parts.clock.monotonic();
    try {
      const grant = await ask();
      signal.throwIfAborted();
      // One by one: a dialect of somebody's own may bring an object with getters.
      const { accessToken, username, scopes, isAPI, lifeMs, upstreamNow, refreshToken, reference } = grant;
      const said = { accessToken, username, scopes, isAPI, lifeMs, upstreamNow, refreshToken, reference };
      return { ...said, elapsedMs: this.parts.clock.monotonic() - askedAt };
    } catch (thrown) {
      signal.throwIfAborted();
      if (isRefusal(thrown)) return thrown;
      throw thrown;
    }
  }
}

function isRefusal(thrown: unknown): thrown is XPayAuthError {
  return thrown instanceof XPayAuthError && (thrown.code === 'invalid_credentials' || thrown.code === 'invalid_token');
}
