import type { Clock } from '../core/clock.js';
import { type Credentials, SealedCredentials, flawOf, type Secret } from '../core/credentials.js';
import { XPayAuthError, configurationError, fromForeignError } from '../core/errors.js';
import { clockSkew, lifeFromNow, readInstant } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { deadline } from '../async/promises.js';
import { AccountChanged, AccountRefusal, type Attempt, type GrantProvider, type LiveGrant } from './grant-provider.js';

export interface AppAccountParts {
  readonly clock: Clock;
  readonly policy: {
    /** Maximum duration of a login in ms. */
    readonly deadlineMs: number;
    /** Lifetime of a token in ms, used if the upstream states no lifetime. */
    readonly fallbackLifeMs: number;
  };
  /** The app account, or a function that reads it if it may change while the app runs. */
  readonly credentials: SealedCredentials | (() => Credentials | Promise<Credentials>);
  /** The option that provides the credentials, for messages. @default 'credentials' */
  readonly option?: Exclude<Attempt['progress']['waitsFor'], 'upstream'>;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly refresh: ((refreshToken: Secret, signal: AbortSignal) => Promise<Grant>) | undefined;
}

/**
 * Last link of the token chain: obtains a grant for the app account. Uses the refresh token if the upstream has issued one, and
 * otherwise logs in.
 */
export class AppAccount implements GrantProvider {
  readonly deadlineMs: number;
  /** The credentials for which the upstream issued the refresh token. */
  #credentials: Credentials | undefined;
  #refreshToken: Secret | undefined;

  constructor(private readonly parts: AppAccountParts) {
    this.deadlineMs = parts.policy.deadlineMs;
  }

  /** Throws `configuration` for credentials that are missing or unusable, and `AccountRefusal`. */
  async read({ signal, progress }: Pick<Attempt, 'signal' | 'progress'>): Promise<Credentials> {
    const { clock, credentials: source, option = 'credentials' } = this.parts;
    if (typeof source !== 'function') return source;
    progress.waitsFor = option;
    // An attempt with a shared token has a longer deadline.
    const limits = { clock, ms: this.deadlineMs, signal, error: () => unread(option, this.deadlineMs) };
    const { username, secretKey } = (await deadline(limits, () => read(source, option))) ?? {};
    if (typeof username !== 'string' || typeof secretKey !== 'string') {
      throw configurationError(`The option \`${option}\` returned no { username, secretKey }`);
    }
    const credentials = new SealedCredentials(username, secretKey);
    const flaw = flawOf(credentials);
    if (flaw !== undefined) {
      throw configurationError(`The option \`${option}\` returned a user name or a secret key that is ${flaw}`);
    }
    progress.waitsFor = 'upstream';
    return credentials;
  }

  /** Throws `AccountChanged` if the credentials are rejected and have changed since they were read. */
  async obtain(attempt: Attempt): Promise<LiveGrant> {
    const { clock } = this.parts;
    const { credentials, signal } = attempt;
    try {
      const limits = { clock, ms: this.deadlineMs, signal };
      return await deadline(limits, (within) => this.#obtain(attempt, within));
    } catch (thrown) {
      if (attempt.isRepeat || !isRejection(thrown)) throw thrown;
      const current = await this.read(attempt).catch((failure: unknown) => {
        // Only the rejection causes a backoff.
        throw failure instanceof AccountRefusal ? thrown : failure;
      });
      throw isSameAccount(current, credentials) ? thrown : new AccountChanged(current);
    }
  }

  async #obtain(attempt: Attempt, signal: AbortSignal): Promise<LiveGrant> {
    const { authenticate, refresh } = this.parts;
    const { credentials } = attempt;
    if (!isSameAccount(credentials, this.#credentials)) this.#refreshToken = undefined;
    this.#credentials = credentials;
    const refreshToken = this.#refreshToken;
    if (refresh !== undefined && refreshToken !== undefined) {
      try {
        return await this.#call(() => refresh(refreshToken, signal), attempt, signal);
      } catch (thrown) {
        if (!isRejection(thrown)) throw thrown;
        this.#refreshToken = undefined;
      }
    }
    return this.#call(() => authenticate(credentials, 'own token', signal), attempt, signal);
  }

  /**
   * Calls the dialect. If the signal has aborted before the call or during the call, throws the reason of the signal and discards
   * the answer.
   */
  async #call(call: () => Promise<Grant>, attempt: Attempt, signal: AbortSignal): Promise<LiveGrant> {
    const { clock, policy } = this.parts;
    signal.throwIfAborted();
    const askedAt = clock.monotonic();
    let answer: Grant;
    try {
      answer = await call();
    } finally {
      signal.throwIfAborted();
    }
    const receivedAt = readInstant(clock);
    // Each property is read once, because the object of a custom dialect may have getters.
    const { accessToken, username, scopes, isAPI, lifeMs: statedMs, upstreamNow, refreshToken, reference } = answer;
    this.#refreshToken = refreshToken ?? this.#refreshToken;
    if (typeof accessToken.value !== 'string' || accessToken.value === '') {
      throw new XPayAuthError('upstream_malformed', 'The dialect returned no access token', { reference });
    }
    const elapsedMs = receivedAt.mono - askedAt;
    const retryAfterMs = attempt.rejectedForMs(accessToken, elapsedMs);
    if (retryAfterMs > 0) {
      const message = 'The upstream issued the same token again that it had rejected';
      throw new XPayAuthError('credentials_rejected', message, { reference, retryAfterMs });
    }
    const facts = { expiresAt: accessToken.expiresAt, lifeMs: statedMs, upstreamNow, elapsedMs };
    const lifeMs = lifeFromNow(facts, receivedAt.wall) ?? policy.fallbackLifeMs;
    const clockSkewMs = clockSkew(facts, receivedAt.wall);
    return { accessToken, username, scopes, isAPI, reference, receivedAt, lifeMs, clockSkewMs };
  }
}

async function read(source: () => unknown, option: string): Promise<Partial<Credentials> | null | undefined> {
  try {
    return (await source()) as Partial<Credentials> | null | undefined;
  } catch (thrown) {
    if (thrown instanceof AccountRefusal) throw thrown;
    if (thrown instanceof XPayAuthError && thrown.code === 'configuration') throw thrown;
    throw fromForeignError(thrown, 'configuration', `The option \`${option}\` could not be read`);
  }
}

/** Returns the failure for an option that does not return credentials within `ms`. */
export function unread(option: string, ms: number): XPayAuthError {
  return configurationError(`The option \`${option}\` returned nothing within ${ms} ms`);
}

/** Whether both have the same user name and secret key. */
export function isSameAccount(one: Credentials, other: Credentials | undefined): boolean {
  return one.username === other?.username && one.secretKey === other.secretKey;
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && (thrown.code === 'invalid_credentials' || thrown.code === 'invalid_token');
}
