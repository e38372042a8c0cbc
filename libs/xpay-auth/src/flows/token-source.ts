import type { AccessToken } from '../core/access-token.js';
import { type Clock, type Instant, readInstant } from '../core/clock.js';
import { type Credentials, SealedCredentials } from '../core/credentials.js';
import { KeyedDigest } from '../core/digest.js';
import { lengthPrefixed } from '../core/cache-key.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import type { FreshnessPolicy } from '../core/freshness.js';
import { clockSkew, lifeFromNow } from '../core/lifetime.js';
import type { Grant } from '../core/ports.js';
import { type PausePolicy, pauseAfter } from '../core/refresh-policy.js';
import type { Secret } from '../core/secret.js';
import { HeldToken } from './held-token.js';
import { SingleFlight, abortable, withinDeadline } from './single-flight.js';
import type { TokenEvent, TokenStatus } from './token-events.js';

/** What a token source is made of. */
export interface TokenSourceParts {
  readonly clock: Clock;
  readonly policy: FreshnessPolicy & PausePolicy & { readonly fallbackLifeMs: number; readonly deadlineMs: number };
  /** Reads the app's own account; asked anew for every attempt. */
  readonly credentials: () => Promise<Credentials>;
  readonly authenticate: (credentials: Credentials, signal: AbortSignal) => Promise<Grant>;
  readonly refresh: ((refreshToken: Secret, signal: AbortSignal) => Promise<Grant>) | undefined;
  readonly emit: (event: TokenEvent) => void;
  readonly random: () => number;
}

/** Leave the upstream alone until then, and why. */
interface Pause {
  readonly until: number;
  readonly error: XPayAuthError;
}

/** An account that gives out a new token only to see it rejected is renewed this often and no more. */
const BETWEEN_REJECTIONS_MS = 5_000;

/**
 * The app's own token, always there: obtained once, renewed behind the callers while it is still good, and never handed
 * out past its margin. One flight at a time talks to the upstream; failures leave a pause behind.
 */
export class TokenSource {
  #held: HeldToken | undefined;
  #expired: HeldToken | undefined;
  #refreshToken: Secret | undefined;
  /** Which account the tokens belong to, as a digest. */
  #account: string | undefined;
  #rejected: AccessToken | undefined;
  #lastRejectionAt: number | undefined;
  #pause: Pause | undefined;
  #failures = 0;
  #lastError: XPayAuthError | undefined;
  #skewMs = 0;
  readonly #flights = new SingleFlight<AccessToken>();
  readonly #stop = new AbortController();
  readonly #digest = new KeyedDigest();

  constructor(private readonly parts: TokenSourceParts) {}

  /** The token at hand, or the one that the flight under way brings. An abort makes this caller leave, nobody else. */
  async get(signal?: AbortSignal): Promise<AccessToken> {
    signal?.throwIfAborted();
    const now = readInstant(this.parts.clock);
    const held = this.#held;
    const state = held?.freshness(now);
    if (held === undefined || state === 'expired') {
      this.#noticeExpiry();
      return abortable(this.#renew(), signal);
    }
    if (state === 'stale') this.#renewBehind(now);
    return held.token;
  }

  /** The token at hand, if it may still be handed out. Calls nobody. */
  peek(): AccessToken | undefined {
    const held = this.#held;
    return held !== undefined && this.parts.clock.monotonic() < held.expiredFrom ? held.token : undefined;
  }

  /** A new token now, however good the present one is; only a refused account still waits out its period. */
  refresh(): Promise<AccessToken> {
    if (this.#pause?.error.code !== 'credentials_rejected') this.#pause = undefined;
    return this.#renew();
  }

  /** The upstream did not accept this token. Nothing happens unless it is still the one at hand. */
  invalidate(rejected: AccessToken | string): void {
    const held = this.#held?.token;
    if (held === undefined || held.value !== (typeof rejected === 'string' ? rejected : rejected.value)) return;
    const now = this.parts.clock.monotonic();
    const sinceLast = now - (this.#lastRejectionAt ?? -Infinity);
    this.#held = undefined;
    this.#rejected = held;
    this.parts.emit({ type: 'rejected' });
    if (sinceLast < BETWEEN_REJECTIONS_MS) {
      const message = 'The upstream rejects tokens it has just issued: is another client using this account?';
      this.#pause = {
        until: now + BETWEEN_REJECTIONS_MS - sinceLast,
        error: new XPayAuthError('credentials_rejected', message),
      };
      return;
    }
    this.#lastRejectionAt = now;
    if (this.#pause?.error.code !== 'credentials_rejected') this.#pause = undefined;
  }

  status(): TokenStatus {
    const now = readInstant(this.parts.clock);
    const held = this.#held;
    const state = held?.freshness(now) ?? 'none';
    return {
      state,
      expiresAt: held?.token.expiresAt,
      usableForMs: Math.floor(held?.usableForMs(now) ?? 0),
      nextRefreshAt: this.#nextRefreshAt(now),
      failures: this.#failures,
      lastError: this.#lastError?.code,
      clockSkewMs: this.#skewMs,
    };
  }

  /** Ends every flight and every wait. */
  stop(): void {
    this.#stop.abort(new XPayAuthError('shutting_down', 'The application is shutting down'));
  }

  #nextRefreshAt(now: Instant): number | undefined {
    const dueAt = this.#held?.staleAt(now);
    if (dueAt === undefined && this.#pause === undefined) return undefined;
    const pauseEndsAt = this.#pause === undefined ? 0 : now.wall + this.#pause.until - now.mono;
    return Math.round(Math.max(dueAt ?? 0, pauseEndsAt));
  }

  #renewBehind(now: Instant): void {
    if (this.#flights.has('token') || (this.#pause !== undefined && now.mono < this.#pause.until)) return;
    // What went wrong is in the events, the status and the pause; nobody waits for this promise.
    this.#renew().catch(() => undefined);
  }

  #renew(): Promise<AccessToken> {
    return this.#flights.run('token', async () => {
      try {
        const { clock, policy } = this.parts;
        const limits = { clock, deadlineMs: policy.deadlineMs, stop: this.#stop.signal };
        return await withinDeadline(limits, (signal) => this.#attempt(signal));
      } catch (thrown) {
        throw this.#failed(thrown);
      }
    });
  }

  async #attempt(signal: AbortSignal): Promise<AccessToken> {
    const paused = this.#pauseNow();
    if (paused !== undefined && paused.code !== 'credentials_rejected') throw new Paused(paused);
    const credentials = await this.#readCredentials();
    const account = this.#versionOf(credentials);
    if (account !== this.#account) this.#refreshToken = undefined;
    else if (paused !== undefined) throw new Paused(paused);

    const grant = await this.#grantFor(credentials, signal);
    signal.throwIfAborted();
    return this.#hold(grant);
  }

  /** Renews with the refresh token if there is one, else with the account; a refused account is read once more. */
  async #grantFor(credentials: Credentials, signal: AbortSignal): Promise<Grant> {
    const refreshed = await this.#tryRefresh(signal);
    if (refreshed !== undefined) return refreshed;
    this.#account = this.#versionOf(credentials);
    try {
      return await this.parts.authenticate(credentials, signal);
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown;
      const again = await this.#readCredentials();
      const account = this.#versionOf(again);
      if (account === this.#account) throw thrown;
      this.#account = account;
      return this.parts.authenticate(again, signal);
    }
  }

  async #tryRefresh(signal: AbortSignal): Promise<Grant | undefined> {
    if (this.#refreshToken === undefined || this.parts.refresh === undefined) return undefined;
    try {
      return await this.parts.refresh(this.#refreshToken, signal);
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown;
      this.#refreshToken = undefined;
      return undefined;
    }
  }

  #hold(grant: Grant): AccessToken {
    const { clock, policy, emit } = this.parts;
    const token = grant.accessToken;
    if (token.value === this.#rejected?.value) {
      throw new XPayAuthError('credentials_rejected', 'The upstream issued the very token it had rejected', {
        reference: grant.reference,
      });
    }
    const since = readInstant(clock);
    const facts = { expiresAt: token.expiresAt, lifeMs: grant.lifeMs, upstreamNow: grant.upstreamNow };
    const lifeMs = lifeFromNow(facts, since.wall) ?? policy.fallbackLifeMs;
    const type = this.#held === undefined ? 'obtained' : 'refreshed';
    this.#held = new HeldToken(token, { since, lifeMs }, policy);
    this.#refreshToken = grant.refreshToken ?? this.#refreshToken;
    this.#skewMs = clockSkew(grant.upstreamNow, since.wall);
    this.#pause = undefined;
    this.#failures = 0;
    this.#lastError = undefined;
    emit({ type, expiresAt: token.expiresAt, lifeMs, clockSkewMs: this.#skewMs, reference: grant.reference });
    return token;
  }

  /** Turns what was thrown into our own failure, and leaves a pause behind. */
  #failed(thrown: unknown): XPayAuthError {
    if (thrown instanceof Paused) return thrown.error;
    const error = asOwnFailure(thrown);
    if (error.code === 'shutting_down') return error;
    const now = readInstant(this.parts.clock);
    const usableForMs = this.#held?.usableForMs(now) ?? 0;
    if ((error.code === 'credentials_rejected') !== (this.#lastError?.code === 'credentials_rejected'))
      this.#failures = 0;
    this.#failures++;
    this.#lastError = error;
    const pauseMs = pauseAfter({ error, failures: this.#failures, usableForMs }, this.parts.policy, this.parts.random);
    this.#pause = { until: now.mono + pauseMs, error };
    this.parts.emit({ type: 'refresh-failed', code: error.code, failures: this.#failures, reference: error.reference });
    return withRetryAfter(error, pauseMs);
  }

  /** Why the upstream is left alone at this moment, with the time that is left of it. */
  #pauseNow(): XPayAuthError | undefined {
    const leftMs = this.#pause === undefined ? 0 : this.#pause.until - this.parts.clock.monotonic();
    return leftMs > 0 && this.#pause !== undefined ? withRetryAfter(this.#pause.error, leftMs) : undefined;
  }

  /** Once for each token that could not be renewed in time. */
  #noticeExpiry(): void {
    if (this.#expired === this.#held) return;
    this.#expired = this.#held;
    this.parts.emit({ type: 'expired' });
  }

  async #readCredentials(): Promise<Credentials> {
    try {
      return SealedCredentials.of(await this.parts.credentials());
    } catch (thrown) {
      throw asXPayAuthError(thrown, 'configuration', 'The option `credentials` could not be read');
    }
  }

  #versionOf(credentials: Credentials): string {
    return this.#digest.of(lengthPrefixed([credentials.username, credentials.secretKey]));
  }
}

/** An attempt that was not made, because of a pause: no new failure. */
class Paused extends Error {
  constructor(readonly error: XPayAuthError) {
    super('paused');
  }
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && (thrown.code === 'invalid_credentials' || thrown.code === 'invalid_token');
}

/** An outbound failure never carries a caller's code. */
function asOwnFailure(thrown: unknown): XPayAuthError {
  const error = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (error.trouble !== 'caller') return error;
  return new XPayAuthError('credentials_rejected', "The upstream refused this application's own account", {
    cause: error,
    reference: error.reference,
  });
}

function withRetryAfter(error: XPayAuthError, retryAfterMs: number): XPayAuthError {
  const { code, message, cause, reference } = error;
  return new XPayAuthError(code, message, { cause, reference, retryAfterMs });
}
