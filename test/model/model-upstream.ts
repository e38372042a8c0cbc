import { AccessToken, type Credentials, type Grant, Secret, XPayAuthError } from 'nestjs-xpay-auth';
import type { ModelClock } from './model-clock.js';

/** How the upstream behaves from now on. `held`: it answers when it is told to; `deaf`: nor does it notice who hangs up. */
export type Mood = 'grants' | 'down' | 'malformed' | 'busy' | 'business' | 'held' | 'deaf';

/** A question under way. */
export interface Flight {
  readonly process: number;
  readonly key: string;
  /** Of all questions that there ever were. */
  readonly order: number;
  readonly askedAt: number;
  /** When the store was last disturbed, by number; `undefined`: it was away. */
  readonly calmSince: number | undefined;
  readonly answer: () => void;
}

/** The truth about a token. Times are on the monotonic clock. */
export interface Minted {
  readonly order: number;
  readonly expiresAt: number;
  /** When it came to whoever asked. */
  arrivedAt: number;
  /** As of {@link Flight}, when it was minted. */
  readonly calmSince: number | undefined;
}

export interface ModelUpstreamSetting {
  readonly lifeMs: number;
  readonly clockSkewMs: number;
  /** Are two tokens of one second the same bytes? */
  readonly equalTokens: boolean;
  readonly renewable: boolean;
}

/** An upstream without a network: it knows the truth, and keeps a record that invariants are judged by. */
export class ModelUpstream {
  mood: Mood = 'grants';
  /** What the accounts are, by name. */
  readonly accounts = new Map<string, { secretKey: string; scopes: readonly string[] }>();
  readonly minted = new Map<string, Minted>();
  readonly flights = new Set<Flight>();
  /** What happened that never may. */
  readonly violations: string[] = [];
  asked = 0;
  #orders = 0;

  constructor(
    private readonly clock: ModelClock,
    private readonly setting: ModelUpstreamSetting,
    /** See {@link Flight.calmSince}. */
    private readonly calmSince: () => number | undefined,
  ) {}

  /** Answers the n-th of the questions that are held, of however many there are. */
  release(nth: number): void {
    const held = [...this.flights];
    held[nth % Math.max(1, held.length)]?.answer();
  }

  /** A process has died: nobody waits for its answers. */
  forget(process: number): void {
    for (const flight of this.flights) if (flight.process === process) this.flights.delete(flight);
  }

  /** `key`: what makes two questions the same. */
  ask(process: number, key: string, signal: AbortSignal, decide: () => Grant | XPayAuthError): Promise<Grant> {
    this.asked++;
    const decision = this.#decision(decide);
    return new Promise<Grant>((resolve, reject) => {
      const answer = (): void => {
        this.flights.delete(flight);
        if (decision instanceof XPayAuthError) return reject(decision);
        const minted = this.minted.get(decision.accessToken.value);
        if (minted !== undefined) minted.arrivedAt = this.clock.monotonic();
        resolve(decision);
      };
      const [order, askedAt] = [++this.#orders, this.clock.monotonic()];
      const flight: Flight = { process, key, order, askedAt, calmSince: this.calmSince(), answer };
      this.#judge(flight);
      this.flights.add(flight);
      const deaf = this.mood === 'deaf';
      signal.addEventListener('abort', () => {
        // Whoever asked has hung up: this question is over, even where the upstream does not notice.
        const underWay = this.flights.delete(flight);
        if (underWay && deaf) this.#late.push(answer);
        else if (underWay) reject(new XPayAuthError('upstream_timeout', 'given up'));
      });
      if (this.mood !== 'held' && this.mood !== 'deaf') answer();
    });
  }

  /** What a deaf upstream answers to those who have hung up. */
  answerLate(): void {
    for (const answer of this.#late.splice(0)) answer();
  }
  readonly #late: (() => void)[] = [];

  /** What a right login is granted. */
  grant(username: string): Grant {
    const { lifeMs, clockSkewMs, equalTokens, renewable } = this.setting;
    const mono = this.clock.monotonic();
    // Its own clock: no step of ours moves it.
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

  /** The grant for these credentials, or the refusal. */
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

  /** At most one flight per key in a process; and in the cluster, while nothing disturbs the store that they agree in. */
  #judge(flight: Flight): void {
    for (const other of this.flights) {
      const isOwn = flight.key.startsWith('own ') && other.key.startsWith('own ');
      const isSame = other.key === flight.key;
      if (other.process === flight.process && (isOwn || isSame)) {
        this.violations.push(`two flights at once: ${other.key}, ${flight.key}`);
      } else if (isOwn && isSame && flight.calmSince !== undefined && other.calmSince === flight.calmSince) {
        this.violations.push(`two instances fly at once: ${flight.key}`);
      }
    }
  }
}
