import { AccessToken } from '../core/credentials.js';
import type { Clock, Instant } from '../core/clock.js';
import { shuttingDown } from '../core/errors.js';
import { type FreshnessPolicy, readInstant } from '../core/lifetime.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { TokenChange, TokenStatus } from '../core/token-events.js';
import { BackedOff } from '../async/backoff.js';
import { abortable, SingleFlight } from '../async/promises.js';
import {
  AccountRefusal,
  type LiveGrant,
  type SharingLink,
  type StoredName,
  type TokenListener,
} from './grant-provider.js';
import { HeldToken } from './held-token.js';
import type { TokenBackoff } from './token-backoff.js';

export interface CachedTokenParts {
  readonly clock: Clock;
  readonly policy: FreshnessPolicy;
  /** Never throws. */
  readonly emit: (event: TokenChange) => void;
  readonly instrumentation: Instrumentation;
  /**
   * Set if the token may be evicted from memory. Called when an attempt has started or ended, and when a token was rejected that
   * had been evicted.
   */
  readonly changed?: (() => void) | undefined;
  /** Aborted at shutdown. Many accounts share one to use less memory. @default a separate one */
  readonly stop?: AbortController;
}

/**
 * First link of the token chain (`token-chain.ts`): returns the app token to callers. Obtains the first token when a caller needs
 * one, and renews a token in the background while the token is still usable. Never returns a token that is about to expire: the
 * last part of its lifetime is a safety margin (see `hardMargin`). At most one attempt to obtain a token runs at a time.
 */
export class CachedToken implements TokenListener {
  #held: HeldToken | undefined;
  /** The last token for which `expired` was emitted. */
  #expired: HeldToken | undefined;
  #clockSkewMs = 0;
  /** Whether the attempt in progress was started while the token was usable. */
  #isInBackground = false;
  /** The attempt in progress. Resolves to `undefined` if it only read the store and found no newer token. */
  readonly #flights: SingleFlight<AccessToken | undefined>;
  readonly #stop: AbortController;

  constructor(
    private readonly parts: CachedTokenParts,
    private readonly backoff: TokenBackoff,
    private readonly shared: SharingLink | undefined,
  ) {
    const joined = (): void => parts.instrumentation.record({ type: 'joined', flight: 'token' });
    this.#flights = new SingleFlight(joined, parts.changed);
    this.#stop = parts.stop ?? new AbortController();
  }

  /**
   * Returns the current token, or waits for the attempt in progress and returns its token. An abort ends the wait of this caller
   * only.
   */
  get(signal?: AbortSignal): Promise<AccessToken> {
    const held = this.#held;
    if (held === undefined || signal?.aborted === true) return this.#renewed(signal);
    const state = held.look(this.parts.clock);
    if (state === 'fresh') return held.promise;
    if (state === 'doubtful') return this.#renewedOr(held, signal);
    if (state === 'expired') return this.#renewed(signal);
    if (state === 'stale') this.#renewInBackground();
    return held.promise;
  }

  /** Returns the current token if callers may still use it. Never starts an attempt. */
  peek(): AccessToken | undefined {
    const state = this.#held?.look(this.parts.clock);
    return state === 'fresh' || state === 'stale' ? this.#held?.token : undefined;
  }

  /**
   * Returns a new token, even if the current token is still usable. Ends a backoff that follows a failure of the upstream. A
   * backoff because of a rejected account, a rejected token or a `Retry-After` continues.
   */
  refresh(): Promise<AccessToken> {
    this.backoff.endOwnBackoff();
    return this.#renewed();
  }

  /** Call this method when the upstream has rejected a token. Has no effect if another token is the current one by now. */
  invalidate(rejected: AccessToken | string): void {
    const held = this.#held;
    if (held === undefined) return this.#rejectEvicted(rejected);
    if (held.token.value !== (typeof rejected === 'string' ? rejected : rejected.value)) return;
    this.shared?.rejected(held.grant);
    this.#drop();
  }

  status(): Omit<TokenStatus, 'store'> {
    const now = readInstant(this.parts.clock);
    const held = this.#held;
    const state = held?.freshness(now) ?? 'none';
    return {
      state: state === 'doubtful' ? 'expired' : state,
      expiresAt: held?.token.expiresAt,
      usableForMs: state === 'doubtful' ? 0 : Math.floor(held?.usableForMs(now.mono) ?? 0),
      nextRefreshAt: this.#nextRefreshAt(now),
      failures: this.backoff.failures,
      lastError: this.backoff.lastError?.code,
      clockSkewMs: this.#clockSkewMs,
    };
  }

  /** Whether an attempt is in progress. */
  get isBusy(): boolean {
    return this.#flights.has('token');
  }

  /** Whether there is a token, usable or not. */
  get hasToken(): boolean {
    return this.#held !== undefined;
  }

  /** Removes the token from memory. Call this method only while no attempt is in progress. Failures and rejections are kept. */
  evict(): void {
    this.#held = undefined;
    this.#expired = undefined;
    this.shared?.stop();
  }

  /** Whether failures or rejections must be kept after {@link evict}. */
  get hasFailed(): boolean {
    return this.backoff.isNeeded;
  }

  /** Ends every attempt and every wait with `shutting_down`. */
  stop(): void {
    this.shared?.stop();
    this.#stop.abort(shuttingDown());
  }

  /**
   * Reads the newer token of another instance from the store, unless an attempt is in progress. Callers who arrive during the
   * read wait for the read, and start an attempt only if the read returns no token.
   */
  adopt(read: () => Promise<LiveGrant | undefined>): void {
    if (this.#flights.has('token') || this.#stop.signal.aborted) return;
    const adoption = this.#flights.run('token', async () => {
      const grant = await read();
      if (grant === undefined || this.backoff.rejectedForMs(grant.accessToken, grant.ageMs) > 0) return undefined;
      return this.#hold(grant, this.backoff.isRenewalOwed);
    });
    adoption.catch(() => undefined);
  }

  rejectedElsewhere({ id, generation }: StoredName): void {
    const stored = this.#held?.grant.stored;
    if (stored?.id === id && stored.generation === generation) this.#drop();
  }

  /** The token may still be in the store. After this call, this instance does not use that token. */
  #rejectEvicted(rejected: AccessToken | string): void {
    if (this.parts.changed === undefined) return;
    const token = typeof rejected === 'string' ? new AccessToken(rejected) : rejected;
    if (this.backoff.isRejected(token)) return;
    this.backoff.tokenRejected(token);
    this.parts.changed();
  }

  #drop(): void {
    const token = this.#held?.token;
    if (token === undefined) return;
    this.#held = undefined;
    this.backoff.tokenRejected(token);
    this.parts.emit({ type: 'rejected' });
  }

  #nextRefreshAt(now: Instant): number | undefined {
    const backoffMs = this.backoff.until - now.mono;
    const backoffEndsAt = backoffMs > 0 ? now.wall + backoffMs : undefined;
    const dueAt = this.#held?.staleAt(now) ?? backoffEndsAt;
    return dueAt === undefined ? undefined : Math.round(Math.max(dueAt, backoffEndsAt ?? dueAt));
  }

  #renewInBackground(): void {
    const isBackedOff = this.parts.clock.monotonic() < this.backoff.until;
    if (isBackedOff || this.#flights.has('token') || this.#stop.signal.aborted) return;
    // Events, status and backoff report a failure; no caller waits for this promise.
    this.#isInBackground = true;
    this.#renew()
      .catch(() => undefined)
      .finally(() => (this.#isInBackground = false));
  }

  /** Returns the result of the attempt in progress, or of a new one, for one caller. */
  async #renewed(signal?: AbortSignal): Promise<AccessToken> {
    signal?.throwIfAborted();
    const held = this.#held;
    if (held !== undefined && held !== this.#expired && !held.isUsable(this.parts.clock.monotonic())) {
      this.#expired = held;
      this.parts.emit({ type: 'expired', failures: this.backoff.failures });
    }
    const token = await abortable(this.#renewedInTime(), signal);
    if (token === undefined) return this.#renewed(signal);
    // The upstream may have rejected the token while this caller waited.
    return this.backoff.isRejected(token) ? this.get(signal) : token;
  }

  /**
   * If the token expires during an attempt in the background, callers wait for this attempt. If the attempt fails and no backoff
   * follows, the callers start a second attempt.
   */
  async #renewedInTime(): Promise<AccessToken | undefined> {
    if (!this.#isInBackground) return this.#renew();
    return this.#renew().catch((failure: unknown) => {
      if (this.backoff.standing() !== undefined || this.#stop.signal.aborted) throw failure;
      return this.#renew();
    });
  }

  /**
   * Returns the result of {@link #renewed}, or the current token if the renewal fails. Before the renewal, this method ends a
   * backoff that a failure of the upstream has caused. That backoff began while the token still looked valid; since then, the
   * clocks have shown that the token may be expired (`doubtful`).
   */
  async #renewedOr(held: HeldToken, signal?: AbortSignal): Promise<AccessToken> {
    this.backoff.endOwnBackoff();
    try {
      return await this.#renewed(signal);
    } catch (failure) {
      signal?.throwIfAborted();
      if (this.#held !== held || !held.isUsable(this.parts.clock.monotonic())) throw failure;
      return held.token;
    }
  }

  #renew(): Promise<AccessToken | undefined> {
    return this.#flights.run('token', async () => {
      const standing = this.backoff.standing();
      if (standing === undefined) {
        return this.parts.instrumentation.observe({ type: 'renew token' }, () => this.#obtain());
      }
      this.#held?.renewalFailed();
      throw standing;
    });
  }

  async #obtain(): Promise<AccessToken> {
    const { signal } = this.#stop;
    const isCausedByRejection = this.backoff.isRenewalOwed;
    const current = this.#held?.grant;
    const failuresBefore = this.backoff.failures;
    try {
      const grant = await this.backoff.obtain({ current, usableForMs: () => this.#usableForMs(), signal });
      return this.#hold(grant, isCausedByRejection);
    } catch (thrown) {
      this.#held?.renewalFailed();
      if (thrown instanceof BackedOff) throw thrown.failure;
      const { failures, lastError } = this.backoff;
      if (failures > failuresBefore && lastError !== undefined) {
        const { code, message: reason, reference } = lastError;
        const usableForMs = this.#usableForMs();
        this.parts.emit({ type: 'refresh-failed', code, reason, failures, usableForMs, reference });
      }
      if (!(thrown instanceof AccountRefusal)) throw thrown;
      // The token of an account that no longer exists is not returned any more.
      if (thrown.isUnknown) this.#held = undefined;
      throw thrown.exception;
    }
  }

  #usableForMs(): number {
    return this.#held?.usableForMs(this.parts.clock.monotonic()) ?? 0;
  }

  #hold(grant: LiveGrant, isCausedByRejection: boolean): AccessToken {
    const { accessToken, lifeMs, ageMs, clockSkewMs, reference } = grant;
    const type = ageMs !== undefined ? 'adopted' : this.#held === undefined ? 'obtained' : 'refreshed';
    const leadMs = this.#held?.usableForMs(this.parts.clock.monotonic());
    this.#held = new HeldToken(grant, this.parts.policy);
    this.#clockSkewMs = clockSkewMs;
    this.backoff.succeeded(accessToken, isCausedByRejection);
    const { expiresAt } = accessToken;
    this.parts.emit({ type, expiresAt, lifeMs: lifeMs - (ageMs ?? 0), leadMs, clockSkewMs, reference });
    return accessToken;
  }
}
