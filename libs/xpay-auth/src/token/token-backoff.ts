import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import type { Credentials } from '../core/credentials.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import { nameOnly } from '../core/name-only.js';
import {
  BackedOff,
  type Backoff,
  type BackoffPolicy,
  backoffAfter,
  standingFailure,
  withRetryAfter,
} from '../async/backoff.js';
import { deadline, unanswered } from '../async/deadline.js';
import type { AppAccount } from './app-account.js';
import {
  AccountChanged,
  type Attempt,
  type GrantProvider,
  type LiveGrant,
  type RecordedFailure,
  type TokenRequest,
} from './grant-provider.js';
import { RejectedAccount, RejectedTokens } from './rejections.js';

export interface TokenBackoffParts {
  readonly clock: Clock;
  readonly policy: BackoffPolicy;
  readonly random: () => number;
}

/**
 * Second link of the chain: makes an attempt under one deadline, and backs off after a failure. It comes before the shared
 * token, so that a backoff costs neither a read of the credentials nor one of the store.
 */
export class TokenBackoff {
  #failures = 0;
  #lastError: XPayAuthError | undefined;
  /** After failures of the upstream. */
  #backoff: Backoff | undefined;
  readonly #account: RejectedAccount;
  readonly #tokens = new RejectedTokens();

  constructor(
    private readonly parts: TokenBackoffParts,
    private readonly account: Pick<AppAccount, 'read'>,
    private readonly next: GrantProvider,
  ) {
    this.#account = new RejectedAccount(parts.policy);
  }

  /** Failed attempts in a row. */
  get failures(): number {
    return this.#failures;
  }

  get lastError(): XPayAuthError | undefined {
    return this.#lastError;
  }

  /** On the monotonic clock: no attempt is made until then, unless the credentials change. */
  get until(): number {
    return Math.max(this.#backoff?.until ?? -Infinity, this.#tokens.backoff?.until ?? -Infinity, this.#account.until);
  }

  get isRenewalOwed(): boolean {
    return this.#tokens.isRenewalOwed;
  }

  isRejected(token: AccessToken): boolean {
    return this.#tokens.has(token);
  }

  /** Returns why no attempt may be made now, whatever the credentials are. */
  standing(): XPayAuthError | undefined {
    const mono = this.parts.clock.monotonic();
    const failure = standingFailure(this.#backoff, mono) ?? standingFailure(this.#tokens.backoff, mono);
    this.#lastError = failure ?? this.#lastError;
    return failure;
  }

  /** Makes one attempt. Throws its failure with the ms to wait, and `BackedOff` if the attempt was not made. */
  async obtain(request: TokenRequest): Promise<LiveGrant> {
    const { clock } = this.parts;
    const ms = this.next.deadlineMs;
    const startedAt = clock.monotonic();
    const progress: Attempt['progress'] = { waitsFor: 'credentials' };
    let credentials: Credentials | undefined;
    let recorded: RecordedFailure | undefined;
    const failed = (thrown: unknown): RecordedFailure | undefined =>
      (recorded ??= this.#record(thrown, { startedAt, credentials, usableForMs: request.usableForMs() }));
    const limits = { clock, ms, signal: request.signal, error: () => overdue(progress, ms) };
    try {
      return await deadline(limits, async (signal) => {
        credentials = await this.account.read({ signal, progress });
        const standing = this.#account.standing(credentials, startedAt);
        if (standing !== undefined) throw new BackedOff(standing);
        const isRejected = (token: AccessToken): boolean => this.#tokens.has(token);
        const attempt: Attempt = { ...request, signal, progress, credentials, isRepeat: false, isRejected, failed };
        try {
          return await this.next.obtain(attempt);
        } catch (thrown) {
          if (!(thrown instanceof AccountChanged)) throw thrown;
          credentials = thrown.credentials;
          return this.next.obtain({ ...attempt, credentials, isRepeat: true });
        }
      });
    } catch (thrown) {
      if (thrown instanceof BackedOff) this.#learn(thrown, credentials);
      const failure = failed(thrown);
      throw failure === undefined ? thrown : withRetryAfter(failure.error, failure.backoffMs);
    }
  }

  /** A token is at hand. `isCaused`: because another one had been rejected. */
  succeeded(isCaused: boolean): void {
    this.#tokens.renewed(isCaused, this.parts.clock.monotonic());
    this.#account.clear();
    this.#backoff = undefined;
    this.#failures = 0;
    this.#lastError = undefined;
  }

  /** Ends our own backoff, but not the time that an upstream asked for. */
  endOwnBackoff(): void {
    if (this.#backoff?.error.retryAfterMs === undefined) this.#backoff = undefined;
  }

  /** The upstream rejected this token. The renewal that follows waits for no failure before it. */
  tokenRejected(token: AccessToken): void {
    this.#backoff = undefined;
    this.#tokens.add(token, this.parts.clock.monotonic());
  }

  /** Passes on that the upstream rejected the token of this grant when this instance used it. */
  rejected(grant: LiveGrant): void {
    this.next.rejected?.(grant);
  }

  stop(): void {
    this.next.stop?.();
  }

  #learn({ failure, rejections }: BackedOff, credentials: Credentials | undefined): void {
    this.#lastError = failure;
    if (rejections === 0) return;
    const until = this.parts.clock.monotonic() + (failure.retryAfterMs ?? 0);
    this.#account.learn(credentials, rejections, { until, error: failure });
  }

  #record(thrown: unknown, { startedAt, credentials, usableForMs }: FailureFacts): RecordedFailure | undefined {
    if (thrown instanceof AccountChanged || thrown instanceof BackedOff) return undefined;
    const error = asOutboundFailure(thrown);
    if (error.code === 'shutting_down') return undefined;
    const mono = this.parts.clock.monotonic();
    this.#failures++;
    this.#lastError = error;
    if (error.code === 'credentials_rejected') {
      const backoffMs = this.#account.add(credentials, error, mono);
      return { error, backoffMs, rejections: this.#account.rejections };
    }
    const attempt = { error, failures: this.#failures, usableForMs, tookMs: mono - startedAt };
    const backoffMs = backoffAfter(attempt, this.parts.policy, this.parts.random);
    this.#backoff = { until: mono + backoffMs, error };
    return { error, backoffMs, rejections: 0 };
  }
}

interface FailureFacts {
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** `undefined` if they could not be read. */
  readonly credentials: Credentials | undefined;
  readonly usableForMs: number;
}

function overdue({ waitsFor }: Attempt['progress'], ms: number): XPayAuthError {
  if (waitsFor === 'upstream') return unanswered(ms);
  return new XPayAuthError('configuration', `The option \`credentials\` gave nothing within ${ms} ms`);
}

/** An outbound failure never carries a caller's code. */
function asOutboundFailure(thrown: unknown): XPayAuthError {
  const message = `The dialect failed in an unexpected way (${nameOnly(thrown).message})`;
  const failure = asXPayAuthError(thrown, 'upstream_malformed', message);
  if (failure.trouble !== 'caller') return failure;
  return new XPayAuthError('credentials_rejected', "The upstream refused this application's own account", {
    cause: failure,
    reference: failure.reference,
  });
}
