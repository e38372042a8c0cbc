import type { AccessToken } from '../core/access-token.js';
import { type Instant, readInstant } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { FreshnessPolicy } from '../core/freshness.js';
import { clockSkew, lifeFromNow } from '../core/lifetime.js';
import { Instrumentation } from '../core/instrumentation.js';
import {
  type Attempt,
  GrantSource,
  type GrantSourceParts,
  type Grants,
  type Obtained,
  type TokenListener,
} from './grant-source.js';
import { HeldToken } from './held-token.js';
import { asOutboundFailure } from './outbound-failure.js';
import { BackedOff, type BackoffPolicy, standingFailure, withRetryAfter } from '../async/backoff.js';
import { RejectedTokens } from './rejected-tokens.js';
import { RenewalBackoff } from './renewal-backoff.js';
import { abortable, deadline, unanswered } from '../async/deadline.js';
import { SingleFlight } from '../async/single-flight.js';
import type { TokenEvent, TokenStatus } from '../core/token-events.js';

/** What a token source is made of. */
export interface TokenSourceParts extends GrantSourceParts {
  readonly policy: FreshnessPolicy & BackoffPolicy & { readonly fallbackLifeMs: number; readonly deadlineMs: number };
  readonly emit: (event: TokenEvent) => void;
  readonly random: () => number;
  /** Shares what is got with other instances. */
  readonly share?: ((own: GrantSource, news: TokenListener) => Grants) | undefined;
  readonly instrumentation?: Instrumentation | undefined;
}

/**
 * The app's own token, always there: obtained once, renewed behind the callers while it is still good, and never handed
 * out past its margin. One flight at a time talks to the upstream; failures leave a pause behind.
 */
export class TokenSource {
  #held: HeldToken | undefined;
  /** The token whose end was told of last. */
  #ended: HeldToken | undefined;
  #skewMs = 0;
  readonly #trouble: RenewalBackoff;
  readonly #grants: Grants;
  readonly #rejected = new RejectedTokens();
  readonly #instrumentation: Instrumentation;
  /** Brings `undefined` when there was nothing to adopt. */
  readonly #flights = new SingleFlight<AccessToken | undefined>(() =>
    this.#instrumentation.record({ type: 'joined', flight: 'token' }),
  );
  readonly #stop = new AbortController();

  constructor(private readonly parts: TokenSourceParts) {
    this.#instrumentation = parts.instrumentation ?? new Instrumentation();
    this.#trouble = new RenewalBackoff(parts.policy, parts.random);
    const own = new GrantSource(parts);
    const news: TokenListener = {
      newer: () => this.#adopt(),
      rejected: () => this.#drop(),
      isRejected: (token) => this.#rejected.has(token),
    };
    this.#grants = parts.share?.(own, news) ?? own;
  }

  /** The token at hand, or the one that the flight under way brings. An abort makes this caller leave, nobody else. */
  get(signal?: AbortSignal): Promise<AccessToken> {
    const held = this.#held;
    if (held !== undefined && signal?.aborted !== true) {
      const { clock } = this.parts;
      const wall = clock.now();
      if (held.isSurelyFresh(wall)) return held.promise;
      const mono = clock.monotonic();
      const state = held.look({ mono, wall });
      if (state === 'doubtful') return this.#renewedOr(held, signal);
      if (state === 'stale') this.#renewBehind(mono);
      if (state !== 'expired') return held.promise;
    }
    return this.#renewed(signal);
  }

  /** The token at hand, if it may still be handed out. Calls nobody. */
  peek(): AccessToken | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const { clock } = this.parts;
    const wall = clock.now();
    if (held.isSurelyFresh(wall)) return held.token;
    const state = held.look({ mono: clock.monotonic(), wall });
    return state === 'fresh' || state === 'stale' ? held.token : undefined;
  }

  /**
   * A new token now, however good the present one is. Our own backoff ends; a refused account, a rejected token and an
   * upstream that said when to come back are waited for all the same.
   */
  refresh(): Promise<AccessToken> {
    this.#trouble.endBackoff();
    return this.#renewed();
  }

  /** The upstream did not accept this token. Nothing happens unless it is still the one at hand. */
  invalidate(rejected: AccessToken | string): void {
    const token = this.#held?.token;
    if (token === undefined || token.value !== (typeof rejected === 'string' ? rejected : rejected.value)) return;
    this.#grants.rejected?.();
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
      failures: this.#trouble.failures,
      lastError: this.#trouble.lastError?.code,
      clockSkewMs: this.#skewMs,
    };
  }

  /** Ends every flight and every wait. */
  stop(): void {
    this.#grants.stop?.();
    this.#stop.abort(new XPayAuthError('shutting_down', 'The application is shutting down'));
  }

  /** The token at hand was rejected. */
  #drop(): void {
    const token = this.#held?.token;
    if (token === undefined) return;
    this.#held = undefined;
    this.#trouble.endPause();
    this.#rejected.add(token, this.parts.clock.monotonic());
    this.#tell({ type: 'rejected' });
  }

  /** Takes the newer token of another instance. A flight of its own, so that no caller asks for one meanwhile. */
  #adopt(): void {
    if (this.#flights.has('token') || this.#stop.signal.aborted) return;
    const adoption = this.#flights.run('token', async () => {
      const newer = await this.#grants.newer?.();
      if (newer === undefined) return undefined;
      return this.#hold(newer, this.#rejected.renewalIsOwed);
    });
    adoption.catch(() => undefined);
  }

  /** On the monotonic clock: until then nobody is asked, unless the account has changed. */
  #quietUntil(): number {
    return Math.max(this.#trouble.quietUntil, this.#rejected.pause?.until ?? -Infinity, this.#grants.refused.until);
  }

  #nextRefreshAt(now: Instant): number | undefined {
    const quietMs = this.#quietUntil() - now.mono;
    const quietEndsAt = quietMs > 0 ? now.wall + quietMs : undefined;
    const dueAt = this.#held?.staleAt(now) ?? quietEndsAt;
    return dueAt === undefined ? undefined : Math.round(Math.max(dueAt, quietEndsAt ?? dueAt));
  }

  #renewBehind(mono: number): void {
    if (mono < this.#quietUntil() || this.#flights.has('token') || this.#stop.signal.aborted) return;
    // What went wrong is in the events, the status and the pause; nobody waits for this promise.
    this.#renew().catch(() => undefined);
  }

  /** The outcome of the flight under way, or of a new one, for one caller. */
  async #renewed(signal?: AbortSignal): Promise<AccessToken> {
    signal?.throwIfAborted();
    this.#noticeEnd();
    const token = await abortable(this.#renew(), signal);
    if (token === undefined) return this.#renewed(signal);
    // It may have been rejected between its arrival and this caller's turn.
    return this.#rejected.has(token) ? this.get(signal) : token;
  }

  /** As {@link #renewed}, and the token at hand where that fails. Our own backoff, begun before the doubt, is not waited for. */
  async #renewedOr(held: HeldToken, signal?: AbortSignal): Promise<AccessToken> {
    this.#trouble.endBackoff();
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
      const startedAt = this.parts.clock.monotonic();
      const heldBack = this.#trouble.objection(startedAt) ?? standingFailure(this.#rejected.pause, startedAt);
      if (heldBack !== undefined) throw this.#failed(new BackedOff(heldBack), startedAt);
      return this.#instrumentation.observe({ type: 'renew token' }, () => this.#attempt(startedAt));
    });
  }

  async #attempt(startedAt: number): Promise<AccessToken> {
    const { clock, policy } = this.parts;
    const causedByRejection = this.#rejected.renewalIsOwed;
    let attempt: Attempt | undefined;
    const deadlineMs = this.#grants.deadlineMs ?? policy.deadlineMs;
    const within = { clock, ms: deadlineMs, signal: this.#stop.signal, error: () => overdue(attempt, deadlineMs) };
    try {
      const grant = await deadline(within, (signal) => {
        const usableForMs = this.#held?.usableForMs(startedAt) ?? 0;
        attempt = { startedAt, usableForMs, signal, waitsFor: 'credentials' };
        return this.#grants.obtain(attempt);
      });
      return this.#hold(grant, causedByRejection);
    } catch (thrown) {
      throw this.#failed(thrown, startedAt);
    }
  }

  #hold(grant: Obtained, causedByRejection: boolean): AccessToken {
    const { clock, policy } = this.parts;
    const { accessToken: token, upstreamNow, reference } = grant;
    if (typeof token.value !== 'string' || token.value === '') {
      throw new XPayAuthError('upstream_malformed', 'The dialect brought no access token', { reference });
    }
    if (this.#rejected.has(token)) {
      const message = 'The upstream issued the very token it had rejected';
      throw new XPayAuthError('credentials_rejected', message, { reference });
    }
    const now = readInstant(clock);
    const { ageMs, elapsedMs } = grant;
    const since = { wall: now.wall - (ageMs ?? 0), mono: now.mono - (ageMs ?? 0) };
    const { expiresAt } = token;
    const facts = { expiresAt, lifeMs: grant.lifeMs, upstreamNow, elapsedMs };
    const lifeMs = lifeFromNow(facts, now.wall) ?? policy.fallbackLifeMs;
    const type = ageMs !== undefined ? 'adopted' : this.#held === undefined ? 'obtained' : 'refreshed';
    const leadMs = this.#held?.usableForMs(now.mono);
    this.#held = new HeldToken(token, { since, lifeMs }, policy);
    this.#rejected.renewed(now.mono, causedByRejection);
    this.#grants.refused.clear();
    this.#skewMs = clockSkew(facts, now.wall);
    this.#trouble.end();
    this.#grants.ended?.({ kind: 'held', lifeMs });
    this.#tell({ type, expiresAt, lifeMs: lifeMs - (ageMs ?? 0), leadMs, clockSkewMs: this.#skewMs, reference });
    return token;
  }

  /** Turns what was thrown into our own failure, and sees to it that the upstream is left alone for a while. */
  #failed(thrown: unknown, startedAt: number): XPayAuthError {
    this.#held?.renewalFailed();
    if (thrown instanceof BackedOff) {
      this.#trouble.heldBack(thrown.failure);
      return thrown.failure;
    }
    const error = asOutboundFailure(thrown);
    if (error.code === 'shutting_down') {
      this.#grants.ended?.({ kind: 'stopped' });
      return error;
    }
    const mono = this.parts.clock.monotonic();
    const usableForMs = this.#held?.usableForMs(mono) ?? 0;
    this.#trouble.failed(error);
    const pauseMs =
      error.code === 'credentials_rejected'
        ? this.#grants.rest(error, mono)
        : this.#trouble.rest({ error, mono, tookMs: mono - startedAt, usableForMs });
    this.#grants.ended?.({ kind: 'failed', error, pauseMs });
    this.#tell({
      type: 'refresh-failed',
      code: error.code,
      reason: error.message,
      failures: this.#trouble.failures,
      usableForMs,
      reference: error.reference,
    });
    return withRetryAfter(error, pauseMs);
  }

  /** Once for each token that was not renewed in time. */
  #noticeEnd(): void {
    const held = this.#held;
    if (held === undefined || held === this.#ended || held.isUsable(this.parts.clock.monotonic())) return;
    this.#ended = held;
    this.#tell({ type: 'expired', failures: this.#trouble.failures });
  }

  /** A listener that throws is not the token's trouble. */
  #tell(event: TokenEvent): void {
    try {
      this.parts.emit(event);
    } catch {
      // Whoever listens has been told; what they make of it is theirs.
    }
  }
}

function overdue(attempt: Attempt | undefined, deadlineMs: number): XPayAuthError {
  if (attempt?.waitsFor !== 'credentials') return unanswered(deadlineMs);
  return new XPayAuthError('configuration', `The option \`credentials\` gave nothing within ${deadlineMs} ms`);
}
