import { AccessToken, type Credentials, type Grant, Secret, XPayAuthError } from 'nestjs-xpay-auth';
import type { ModelClock } from './model-clock.js';

/**
 * The behaviour of the upstream from now on. `held`: it responds on command. `deaf`: like `held`, and it does not
 * detect disconnects.
 */
export type Mood = 'grants' | 'down' | 'malformed' | 'busy' | 'business' | 'held' | 'deaf';

/** A call in progress. */
export interface Flight {
  readonly process: number;
  readonly key: string;
  /** Number among all calls so far. */
  readonly order: number;
  readonly askedAt: number;
  /** Number of the store's last disturbance; `undefined` if it was away. */
  readonly calmSince: number | undefined;
  readonly answer: () => void;
}

/** Observes one call. */
export interface Seen {
  readonly asked: (flight: Flight) => void;
  /** Also called when the call is aborted, with an error. */
  readonly answered: (flight: Flight, decision: Grant | XPayAuthError) => void;
}

/** The true state of a token. Times are on the monotonic clock. */
export interface Minted {
  readonly order: number;
  readonly expiresAt: number;
  /** Time at which the caller received it. */
  arrivedAt: number;
  /** As in {@link Flight}, at the time it was issued. */
  readonly calmSince: number | undefined;
}

export interface ModelUpstreamSetting {
  readonly lifeMs: number;
  readonly clockSkewMs: number;
  /** Whether two tokens of one second are the same bytes. */
  readonly equalTokens: boolean;
  readonly renewable: boolean;
}

/** An upstream without a network. It knows the true state and keeps the record that invariants are checked against. */
export class ModelUpstream {
  mood: Mood = 'grants';
  /** The accounts by username. */
  readonly accounts = new Map<string, { secretKey: string; scopes: readonly string[] }>();
  readonly minted = new Map<string, Minted>();
  readonly flights = new Set<Flight>();
  /** Violations of invariants. */
  readonly violations: string[] = [];
  #orders = 0;

  constructor(
    private readonly clock: ModelClock,
    private readonly setting: ModelUpstreamSetting,
    /** See {@link Flight.calmSince}. */
    private readonly calmSince: () => number | undefined,
  ) {}

  /** Responds to the n-th held call, modulo their number. */
  release(nth: number): void {
    const held = [...this.flights];
    held[nth % Math.max(1, held.length)]?.answer();
  }

  /** A process has died, so it receives no responses. */
  forget(process: number): void {
    for (const flight of this.flights) if (flight.process === process) this.flights.delete(flight);
  }

  /** The next number in the order of all events. */
  nextOrder(): number {
    return ++this.#orders;
  }

  /** `key`: two calls with the same key are equal. */
  ask(
    process: number,
    key: string,
    signal: AbortSignal,
    decide: () => Grant | XPayAuthError,
    seen?: Seen,
  ): Promise<Grant> {
    const decision = this.#decision(decide);
    return new Promise<Grant>((resolve, reject) => {
      const answer = (): void => {
        if (this.flights.delete(flight)) seen?.answered(flight, decision);
        if (decision instanceof XPayAuthError) return reject(decision);
        const minted = this.minted.get(decision.accessToken.value);
        if (minted !== undefined) minted.arrivedAt = this.clock.monotonic();
        resolve(decision);
      };
      const [order, askedAt] = [++this.#orders, this.clock.monotonic()];
      const flight: Flight = { process, key, order, askedAt, calmSince: this.calmSince(), answer };
      this.#judge(flight);
      this.flights.add(flight);
      seen?.asked(flight);
      const deaf = this.mood === 'deaf';
      signal.addEventListener('abort', () => {
        // The caller has disconnected: this call is over, even if the upstream does not detect it.
        if (!this.flights.delete(flight)) return;
        const givenUp = new XPayAuthError('upstream_timeout', 'given up');
        seen?.answered(flight, givenUp);
        if (deaf) this.#late.push(answer);
        else reject(givenUp);
      });
      if (this.mood !== 'held' && this.mood !== 'deaf') answer();
    });
  }

  /** Response of a deaf upstream to disconnected callers. */
  answerLate(): void {
    for (const answer of this.#late.splice(0)) answer();
  }
  readonly #late: (() => void)[] = [];

  /** The grant for a correct login. */
  grant(username: string): Grant {
    const { lifeMs, clockSkewMs, equalTokens, renewable } = this.setting;
    const mono = this.clock.monotonic();
    // The upstream's own clock: no step moves it.
    const theirs = Date.UTC(2026, 0, 1) - 1_000 + mono + clockSkewMs;
    const order = ++this.#orders;
    const value = equalTokens ? `${username}-${Math.floor(mono / 1_000)}` : `${username}-${order}`;
    this.minted.set(value, { order, expiresAt: mono + lifeMs, arrivedAt: mono, calmSince: this.calmSince() });
    return {
      accessToken: new AccessToken(value, { expiresAt: theirs + lifeMs }),
      username,
      scopes: this.accounts.get(username)?.scopes ?? [],
      isAPI: true,
      upstreamNow: Math.floor(theirs / 1_000) * 1_000,
      ...(renewable && { refreshToken: new Secret(`refresh ${username}`) }),
    };
  }

  /** The grant for these credentials, or the rejection. */
  check({ username, secretKey }: Credentials): Grant | XPayAuthError {
    return this.accounts.get(username)?.secretKey === secretKey
      ? this.grant(username)
      : new XPayAuthError('invalid_credentials', 'refused');
  }

  #decision(decide: () => Grant | XPayAuthError): Grant | XPayAuthError {
    switch (this.mood) {
      case 'down':
        return new XPayAuthError('upstream_unavailable', 'down');
      case 'malformed':
        return new XPayAuthError('upstream_malformed', 'malformed');
      case 'busy':
        return new XPayAuthError('upstream_rate_limited', 'busy', { retryAfterMs: 20_000 });
      case 'business':
        return new XPayAuthError('upstream_business_error', 'maintenance');
      case 'grants':
      case 'held':
      case 'deaf':
      default:
        return decide();
    }
  }

  /** At most one call per key in a process, and in the cluster as long as the shared store is not disturbed. */
  #judge(flight: Flight): void {
    for (const other of this.flights) {
      const isOwn = flight.key.startsWith('own ') && other.key.startsWith('own ');
      const isSame = other.key === flight.key;
      if (other.process === flight.process && (isOwn || isSame)) {
        this.violations.push(`two calls at once: ${other.key}, ${flight.key}`);
      } else if (isOwn && isSame && flight.calmSince !== undefined && other.calmSince === flight.calmSince) {
        this.violations.push(`two instances call at once: ${flight.key}`);
      }
    }
  }
}
