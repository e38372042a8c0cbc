import type { AccessToken, Credentials } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError, fromForeignError } from '../core/errors.js';
import {
  BackedOff,
  type Backoff,
  type BackoffPolicy,
  backoffAfter,
  doubled,
  standingFailure,
  withRetryAfter,
} from '../async/backoff.js';
import { deadline, unanswered } from '../async/promises.js';
import { type AppAccount, unread } from './app-account.js';
import {
  AccountChanged,
  type AccountOption,
  AccountRefusal,
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
  /** @default 'credentials' */
  readonly option?: AccountOption;
}

/**
 * Second link of the token chain: makes an attempt within one deadline, and backs off after a failure. This link comes before the
 * shared token, so that neither the credentials nor the store are read during a backoff.
 */
export class TokenBackoff {
  /** Number of consecutive failed attempts. */
  failures = 0;
  lastError: XPayAuthError | undefined;
  /** The backoff after failures of the upstream and after rejected tokens. */
  #backoff: Backoff | undefined;
  /** Set when the upstream rejects the account. Reset to `undefined` when the upstream accepts the account. */
  #rejectedAccount: RejectedAccount | undefined;
  /** `undefined` until the upstream rejects a token. */
  #rejectedTokens: RejectedTokens | undefined;

  constructor(
    private readonly parts: TokenBackoffParts,
    private readonly account: Pick<AppAccount, 'read'>,
    private readonly next: GrantProvider,
  ) {}

  /** End of the backoff on the monotonic clock. Until then no attempt is made, unless the credentials change. */
  get until(): number {
    return Math.max(this.#backoff?.until ?? -Infinity, this.#rejectedAccount?.backoff.until ?? -Infinity);
  }

  /** Whether this object delays or prevents later attempts, so that the object must be kept when the token is evicted. */
  get isNeeded(): boolean {
    return this.failures > 0 || this.#rejectedAccount !== undefined || this.#rejectedTokens !== undefined;
  }

  /** Whether a rejected token causes the next renewal. */
  get isRenewalOwed(): boolean {
    return this.#rejectedTokens?.isRenewalOwed === true;
  }

  /**
   * Returns the failure that blocks all attempts now, whatever the credentials, or `undefined` if nothing blocks them.
   */
  standing(): XPayAuthError | undefined {
    if (this.#backoff === undefined) return undefined;
    const failure = standingFailure(this.#backoff, this.parts.clock.monotonic());
    this.lastError = failure ?? this.lastError;
    return failure;
  }

  /** Whether the upstream has rejected this token. */
  isRejected(token: AccessToken): boolean {
    return this.#rejectedTokens?.has(token) === true;
  }

  /**
   * Returns the ms for which a grant of this token is still refused, because the upstream has rejected the token. Returns 0 if
   * the grant is accepted.
   */
  rejectedForMs(token: AccessToken, ageMs = 0): number {
    return this.#rejectedTokens?.refusedForMs(token, this.parts.clock.monotonic(), ageMs) ?? 0;
  }

  /**
   * Makes one attempt. Throws the failure of the attempt with the ms to wait, `BackedOff` if no attempt was made, or
   * `AccountRefusal`.
   */
  async obtain(request: TokenRequest): Promise<LiveGrant> {
    const { clock } = this.parts;
    const ms = this.next.deadlineMs;
    const run: Run = { startedAt: clock.monotonic(), waitsFor: 'upstream' };
    const limits = { clock, ms, signal: request.signal, error: () => overdue(run, ms) };
    try {
      return await deadline(limits, (signal) => this.#attempt({ ...request, signal }, run));
    } catch (thrown) {
      if (thrown instanceof BackedOff) this.#learn(thrown, run);
      const failure = this.#record(thrown, run, request);
      if (thrown instanceof AccountRefusal) throw thrown;
      throw failure === undefined ? thrown : withRetryAfter(failure.error, failure.backoffMs);
    }
  }

  async #attempt(request: TokenRequest, run: Run): Promise<LiveGrant> {
    const credentials = (run.credentials = await this.account.read({ ...request, progress: run }));
    const standing = this.#rejectedAccount?.standing(credentials, run.startedAt);
    if (standing !== undefined) throw new BackedOff(standing);
    const attempt: Attempt = {
      ...request,
      credentials,
      isRepeat: false,
      progress: run,
      rejectedForMs: (token, ageMs) => this.rejectedForMs(token, ageMs),
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

  /** Call this method with each new token. `isCaused` is `true` if a rejected token caused the renewal. */
  succeeded(token: AccessToken, isCaused: boolean): void {
    this.#rejectedTokens?.renewed(token, isCaused, this.parts.clock.monotonic());
    this.#rejectedAccount = undefined;
    this.#backoff = undefined;
    this.failures = 0;
    this.lastError = undefined;
  }

  /** Ends a backoff that follows a failure of the upstream. A backoff because of a rejected token or a `Retry-After` continues. */
  endOwnBackoff(): void {
    const { code, retryAfterMs } = this.#backoff?.error ?? {};
    if (code !== 'credentials_rejected' && retryAfterMs === undefined) this.#backoff = undefined;
  }

  /**
   * Call this method when the upstream has rejected a token. A backoff after an earlier failure does not delay the next
   * renewal.
   */
  tokenRejected(token: AccessToken): void {
    this.#rejectedTokens ??= new RejectedTokens();
    this.#backoff = this.#rejectedTokens.add(token, this.parts.clock.monotonic());
  }

  #learn({ failure, rejections, failures }: BackedOff, { credentials }: Run): void {
    this.lastError = failure;
    this.failures = Math.max(this.failures, failures);
    if (rejections === 0) return;
    const until = this.parts.clock.monotonic() + (failure.retryAfterMs ?? 0);
    const changes = this.#rejectedAccount?.changes;
    this.#rejectedAccount = new RejectedAccount(credentials, rejections, { until, error: failure }, changes);
  }

  /** Records the failure of an attempt. Several links may report the failure, and only the first report counts. */
  #record(thrown: unknown, run: Run, { current, usableForMs }: TokenRequest): RecordedFailure | undefined {
    if (run.failure !== undefined || thrown instanceof AccountChanged || thrown instanceof BackedOff)
      return run.failure;
    // Without a backoff, every call would read the credentials while the token is stale. Callers without a token receive the
    // current exception of the app.
    if (thrown instanceof AccountRefusal && (thrown.isUnknown || usableForMs() === 0)) return undefined;
    const error = asOutboundFailure(thrown, this.parts.option);
    if (error.code === 'shutting_down') return undefined;
    const { clock, policy, random } = this.parts;
    const mono = clock.monotonic();
    const failures = ++this.failures;
    this.lastError = error;
    // An error with `retryAfterMs` means that the upstream issued a rejected token again, not that it rejected the account.
    if (error.code === 'credentials_rejected' && error.retryAfterMs === undefined) {
      const before = this.#rejectedAccount;
      const rejections = (before?.rejections ?? 0) + 1;
      const backoffMs = doubled(policy.rejectedRetryMs, rejections);
      const changes = before !== undefined && mono < before.backoff.until ? before.changes + 1 : 0;
      const backoff = { until: mono + backoffMs, error };
      this.#rejectedAccount = new RejectedAccount(run.credentials, rejections, backoff, changes);
      return (run.failure = { error, backoffMs, rejections, failures });
    }
    const tookMs = mono - run.startedAt;
    const failed = { error, failures, usableForMs: usableForMs(), lifeMs: current?.lifeMs, tookMs };
    const backoffMs = backoffAfter(failed, policy, random);
    // If the first failure is one of {@link BRIEF} and there is no usable token, this instance does not back off: the next caller
    // starts a new attempt. Other instances back off.
    const isRetriedAtOnce =
      failures === 1 && failed.usableForMs === 0 && error.retryAfterMs === undefined && BRIEF.includes(error.code);
    const until = isRetriedAtOnce ? mono : mono + backoffMs;
    this.#backoff = { until: Math.max(until, this.#backoff?.until ?? -Infinity), error };
    return (run.failure = { error, backoffMs, rejections: 0, failures });
  }
}

/** Failures after which the next attempt often succeeds, unless the upstream sends `Retry-After`. */
const BRIEF: readonly XPayAuthErrorCode[] = ['upstream_unavailable', 'upstream_timeout'];

/** The state of one attempt. */
interface Run {
  /** Start of the attempt on the monotonic clock. */
  readonly startedAt: number;
  waitsFor: Attempt['progress']['waitsFor'];
  /** The credentials of the attempt, `undefined` until they are read. */
  credentials?: Credentials;
  failure?: RecordedFailure;
}

function overdue({ waitsFor }: Run, ms: number): XPayAuthError {
  return waitsFor === 'upstream' ? unanswered(ms) : unread(waitsFor, ms);
}

/** Replaces error codes that blame a caller of the app, because the account of this option and not a caller failed. */
function asOutboundFailure(thrown: unknown, option?: AccountOption): XPayAuthError {
  if (thrown instanceof AccountRefusal) {
    return fromForeignError(thrown.exception, 'configuration', 'The option `accounts.credentials` threw an exception');
  }
  const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (failure.trouble !== 'caller') return failure;
  // The message contains no username, because the usernames of accounts may be personal data.
  const account = option === 'accounts.credentials' ? `an account of the option \`${option}\`` : 'the app account';
  const { reference } = failure;
  return new XPayAuthError('credentials_rejected', `The upstream rejected ${account}`, { cause: failure, reference });
}
