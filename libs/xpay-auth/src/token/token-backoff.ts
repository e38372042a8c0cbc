import type { AccessToken, Credentials } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError } from '../core/errors.js';
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
  /** After failures of the upstream, and after rejected tokens. */
  #backoff: Backoff | undefined;
  /** `undefined` until the upstream rejects the account, and again when it accepts it. */
  #rejectedAccount: RejectedAccount | undefined;
  /** `undefined` until the upstream rejects a token. */
  #rejectedTokens: RejectedTokens | undefined;

  constructor(
    private readonly parts: TokenBackoffParts,
    private readonly account: Pick<AppAccount, 'read'>,
    private readonly next: GrantProvider,
  ) {}

  /** On the monotonic clock: no attempt is made until then, unless the credentials change. */
  get until(): number {
    return Math.max(this.#backoff?.until ?? -Infinity, this.#rejectedAccount?.backoff.until ?? -Infinity);
  }

  /** Whether the next renewal is one that a rejected token causes. */
  get isRenewalOwed(): boolean {
    return this.#rejectedTokens?.isRenewalOwed === true;
  }

  /** Returns why no attempt may be made now, whatever the credentials are. */
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

  /** Returns for how many ms more a grant of this token is refused, because the upstream has rejected it; 0: it is accepted. */
  rejectedForMs(token: AccessToken, ageMs = 0): number {
    return this.#rejectedTokens?.refusedForMs(token, this.parts.clock.monotonic(), ageMs) ?? 0;
  }

  /** Makes one attempt. Throws its failure with the ms to wait, and `BackedOff` if the attempt was not made. */
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

  /** This token is at hand. `isCaused`: because another one had been rejected. */
  succeeded(token: AccessToken, isCaused: boolean): void {
    this.#rejectedTokens?.renewed(token, isCaused, this.parts.clock.monotonic());
    this.#rejectedAccount = undefined;
    this.#backoff = undefined;
    this.failures = 0;
    this.lastError = undefined;
  }

  /** Ends our own backoff, but neither that of a rejected token nor the time that an upstream asked for. */
  endOwnBackoff(): void {
    const { code, retryAfterMs } = this.#backoff?.error ?? {};
    if (code !== 'credentials_rejected' && retryAfterMs === undefined) this.#backoff = undefined;
  }

  /** The upstream rejected this token. The renewal that follows waits for no failure before it. */
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

  /** Records a failure once, whichever link reports it first. */
  #record(thrown: unknown, run: Run, { current, usableForMs }: TokenRequest): RecordedFailure | undefined {
    if (run.failure !== undefined || thrown instanceof AccountChanged || thrown instanceof BackedOff)
      return run.failure;
    const error = asOutboundFailure(thrown);
    if (error.code === 'shutting_down') return undefined;
    const { clock, policy, random } = this.parts;
    const mono = clock.monotonic();
    const failures = ++this.failures;
    this.lastError = error;
    // With a time to wait, it is no rejection of the account: the upstream has issued a rejected token again.
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
    // Without a token, the caller after a first brief failure need not fail too. Other instances back off.
    const isRetriedAtOnce =
      failures === 1 && failed.usableForMs === 0 && error.retryAfterMs === undefined && BRIEF.includes(error.code);
    const until = isRetriedAtOnce ? mono : mono + backoffMs;
    this.#backoff = { until: Math.max(until, this.#backoff?.until ?? -Infinity), error };
    return (run.failure = { error, backoffMs, rejections: 0, failures });
  }
}

/** Failures that the next attempt often does not have, unless the upstream asks for time. */
const BRIEF: readonly XPayAuthErrorCode[] = ['upstream_unavailable', 'upstream_timeout'];

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
