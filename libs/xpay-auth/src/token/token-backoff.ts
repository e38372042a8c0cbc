import type { AccessToken, Credentials } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import {
  BackedOff,
  type Backoff,
  type BackoffPolicy,
  backoffAfter,
  standingFailure,
  withRetryAfter,
} from '../async/backoff.js';
import { deadline, unanswered } from '../async/promises.js';
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
  /** Failed attempts in a row. */
  failures = 0;
  lastError: XPayAuthError | undefined;
  readonly rejectedTokens = new RejectedTokens();
  /** After failures of the upstream. */
  #backoff: Backoff | undefined;
  readonly #account: RejectedAccount;

  constructor(
    private readonly parts: TokenBackoffParts,
    private readonly account: Pick<AppAccount, 'read'>,
    private readonly next: GrantProvider,
  ) {
    this.#account = new RejectedAccount(parts.policy);
  }

  /** On the monotonic clock: no attempt is made until then, unless the credentials change. */
  get until(): number {
    return Math.max(
      this.#backoff?.until ?? -Infinity,
      this.rejectedTokens.backoff?.until ?? -Infinity,
      this.#account.until,
    );
  }

  /** Returns why no attempt may be made now, whatever the credentials are. */
  standing(): XPayAuthError | undefined {
    const mono = this.parts.clock.monotonic();
    const failure = standingFailure(this.#backoff, mono) ?? standingFailure(this.rejectedTokens.backoff, mono);
    this.lastError = failure ?? this.lastError;
    return failure;
  }

  /** Makes one attempt. Throws its failure with the ms to wait, and `BackedOff` if the attempt was not made. */
  async obtain(request: TokenRequest): Promise<LiveGrant> {
    const { clock } = this.parts;
    const ms = this.next.deadlineMs;
    const run: Run = { startedAt: clock.monotonic(), waitsFor: 'credentials' };
    const limits = { clock, ms, signal: request.signal, error: () => overdue(run, ms) };
    try {
      return await deadline(limits, (signal) => this.#attempt({ ...request, signal }, run));
    } catch (thrown) {
      if (thrown instanceof BackedOff) this.#learn(thrown, run);
      const failure = this.#record(thrown, run, request);
      throw failure === undefined ? thrown : withRetryAfter(failure.error, failure.backoffMs);
    }
  }

  async #attempt(request: TokenRequest, run: Run): Promise<LiveGrant> {
    const credentials = (run.credentials = await this.account.read({ ...request, progress: run }));
    const standing = this.#account.standing(credentials, run.startedAt);
    if (standing !== undefined) throw new BackedOff(standing);
    const attempt: Attempt = {
      ...request,
      credentials,
      isRepeat: false,
      progress: run,
      isRejected: (token) => this.rejectedTokens.has(token),
      failed: (thrown) => this.#record(thrown, run, request),
    };
    try {
      return await this.next.obtain(attempt);
    } catch (thrown) {
      if (!(thrown instanceof AccountChanged)) throw thrown;
      run.credentials = thrown.credentials;
      return this.next.obtain({ ...attempt, credentials: thrown.credentials, isRepeat: true });
    }
  }

  /** A token is at hand. `isCaused`: because another one had been rejected. */
  succeeded(isCaused: boolean): void {
    this.rejectedTokens.renewed(isCaused, this.parts.clock.monotonic());
    this.#account.clear();
    this.#backoff = undefined;
    this.failures = 0;
    this.lastError = undefined;
  }

  /** Ends our own backoff, but not the time that an upstream asked for. */
  endOwnBackoff(): void {
    if (this.#backoff?.error.retryAfterMs === undefined) this.#backoff = undefined;
  }

  /** The upstream rejected this token. The renewal that follows waits for no failure before it. */
  tokenRejected(token: AccessToken): void {
    this.#backoff = undefined;
    this.rejectedTokens.add(token, this.parts.clock.monotonic());
  }

  /** Passes on that the upstream rejected the token of this grant when this instance used it. */
  rejected(grant: LiveGrant): void {
    this.next.rejected?.(grant);
  }

  stop(): void {
    this.next.stop?.();
  }

  #learn({ failure, rejections }: BackedOff, { credentials }: Run): void {
    this.lastError = failure;
    if (rejections === 0) return;
    const until = this.parts.clock.monotonic() + (failure.retryAfterMs ?? 0);
    this.#account.learn(credentials, rejections, { until, error: failure });
  }

  /** Records a failure once, whichever link reports it first. */
  #record(thrown: unknown, run: Run, { usableForMs }: TokenRequest): RecordedFailure | undefined {
    if (run.failure !== undefined || thrown instanceof AccountChanged || thrown instanceof BackedOff)
      return run.failure;
    const error = asOutboundFailure(thrown);
    if (error.code === 'shutting_down') return undefined;
    const mono = this.parts.clock.monotonic();
    this.failures++;
    this.lastError = error;
    run.failure = { error, ...this.#backOff(error, run, mono, usableForMs()) };
    return run.failure;
  }

  /** Starts the backoff that follows this failure. */
  #backOff(error: XPayAuthError, run: Run, mono: number, usableForMs: number): Omit<RecordedFailure, 'error'> {
    if (error.code === 'credentials_rejected') {
      const backoffMs = this.#account.add(run.credentials, error, mono);
      return { backoffMs, rejections: this.#account.rejections };
    }
    const failed = { error, failures: this.failures, usableForMs, tookMs: mono - run.startedAt };
    const backoffMs = backoffAfter(failed, this.parts.policy, this.parts.random);
    this.#backoff = { until: mono + backoffMs, error };
    return { backoffMs, rejections: 0 };
  }
}

/** The state of one attempt. */
interface Run {
  /** On the monotonic clock. */
  readonly startedAt: number;
  waitsFor: 'credentials' | 'upstream';
  /** `undefined` until they are read. */
  credentials?: Credentials;
  failure?: RecordedFailure;
}

function overdue({ waitsFor }: Run, ms: number): XPayAuthError {
  if (waitsFor === 'upstream') return unanswered(ms);
  return new XPayAuthError('configuration', `The option \`credentials\` gave nothing within ${ms} ms`);
}

/** An outbound failure never carries a caller's code. */
function asOutboundFailure(thrown: unknown): XPayAuthError {
  const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (failure.trouble !== 'caller') return failure;
  return new XPayAuthError('credentials_rejected', "The upstream refused this application's own account", {
    cause: failure,
    reference: failure.reference,
  });
}
