import { LRUCache } from 'lru-cache';
import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { lengthPrefixed } from '../core/cache-key.js';
import type { KeyedDigest } from '../core/digest.js';
import { XPayAuthError } from '../core/errors.js';
import type { AuditSink } from './audit-events.js';

/** So many failures within so long a time. */
export interface Limit {
  /** Failed attempts. */
  readonly attempts: number;
  /** Ms, from the first failure. */
  readonly windowMs: number;
}

export interface AttemptLimits {
  readonly perUserAndAddress: Limit;
  readonly perAddress: Limit;
  readonly perUser: Limit;
}

/** One reserved attempt: it stays counted unless one of these is called. */
export interface Attempt {
  /** The credentials were right. */
  succeeded(): Promise<void>;
  /** The upstream could not say. */
  undecided(): Promise<void>;
}

/** Counts failures by reserving an attempt before the upstream is asked: counting afterwards lets a crowd through. */
export interface Attempts {
  /** Throws `too_many_attempts`. */
  reserve(username: string, address: string | undefined): Promise<Attempt>;
}

/** So many keys a counter holds; the least recently counted make room. */
const MOST_KEYS = 50_000;

/** Counts nothing: `attempts: false`. */
export const unlimitedAttempts: Attempts = {
  reserve: () => Promise.resolve({ succeeded: () => Promise.resolve(), undecided: () => Promise.resolve() }),
};

/**
 * Three counters (OWASP ASVS 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2): by user and address, by address, by user. When only
 * the user's own budget is spent, an address from which that user came in lately may still try, so that a stranger
 * cannot lock the owner out.
 */
export class CountedAttempts implements Attempts {
  readonly #perUserAndAddress: BoundedLimiter;
  readonly #perAddress: BoundedLimiter;
  readonly #perUser: BoundedLimiter;
  readonly #welcome: LRUCache<string, true>;

  constructor(
    limits: AttemptLimits,
    private readonly digest: KeyedDigest,
    private readonly audit: AuditSink,
  ) {
    this.#perUserAndAddress = new BoundedLimiter('perUserAndAddress', limits.perUserAndAddress);
    this.#perAddress = new BoundedLimiter('perAddress', limits.perAddress);
    this.#perUser = new BoundedLimiter('perUser', limits.perUser);
    this.#welcome = new LRUCache({ max: MOST_KEYS });
  }

  async reserve(username: string, address: string | undefined): Promise<Attempt> {
    // Case and width variants of one name share a budget; for keys only, the name itself goes on as it was sent.
    const user = this.digest.of(lengthPrefixed(['user', username.normalize('NFKC').toLowerCase()]));
    const network = address === undefined ? undefined : networkOf(address);
    const both = network === undefined ? undefined : this.digest.of(lengthPrefixed([user, network]));
    const spend = [
      ...(both === undefined ? [] : [this.#perUserAndAddress.spend(both)]),
      ...(network === undefined ? [] : [this.#perAddress.spend(network)]),
      this.#perUser.spend(user),
    ];
    const spent = await Promise.all(spend);
    const refund = async (): Promise<void> => {
      await Promise.all(spent.map(({ limiter, key }) => limiter.refund(key)));
    };
    const welcome = both !== undefined && this.#welcome.has(both);
    const over = spent.find(({ limiter, waitMs }) => waitMs > 0 && !(welcome && limiter === this.#perUser));
    if (over !== undefined) {
      await refund();
      this.audit({ type: 'locked-out', username, address, limit: over.limiter.name });
      throw new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${over.limiter.name})`, {
        retryAfterMs: over.waitMs,
      });
    }
    return {
      succeeded: () => {
        if (both !== undefined) this.#welcome.set(both, true);
        return refund();
      },
      undecided: refund,
    };
  }
}

interface Spent {
  readonly limiter: BoundedLimiter;
  readonly key: string;
  /** Ms until the next attempt may be made; 0 when this one may. */
  readonly waitMs: number;
}

/** rate-limiter-flexible's memory limiter, which by itself never lets go of a key before its time. */
class BoundedLimiter {
  readonly #limiter: RateLimiterMemory;
  readonly #keys: LRUCache<string, true>;

  constructor(
    readonly name: keyof AttemptLimits,
    limit: Limit,
  ) {
    this.#limiter = new RateLimiterMemory({ points: limit.attempts, duration: limit.windowMs / 1_000 });
    this.#keys = new LRUCache({
      max: MOST_KEYS,
      dispose: (_, key, reason) => {
        if (reason === 'evict') void this.#limiter.delete(key);
      },
    });
  }

  async spend(key: string): Promise<Spent> {
    this.#keys.set(key, true);
    try {
      await this.#limiter.consume(key);
      return { limiter: this, key, waitMs: 0 };
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      return { limiter: this, key, waitMs: Math.max(1, refused.msBeforeNext) };
    }
  }

  async refund(key: string): Promise<void> {
    await this.#limiter.reward(key);
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: a subscriber owns at least that many addresses (RFC 6177). */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const bare = address.split('%')[0] ?? address;
  if (!isIPv6(bare)) return bare;
  const [head = '', tail] = bare.toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  const groups = [...front, ...gap, ...back].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}
