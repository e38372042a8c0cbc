import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import { type AccessToken, type Credentials, canonicalText } from '../core/credentials.js';
import { isNumber, isOptionalNumber, parseObject } from '../core/decoders.js';
import type { Principal } from '../core/principal.js';
import type { EntryName, Store } from '../core/store.js';
import type { LogPosition, RevocationLog } from './revocation-log.js';
import { type StoredPrincipal, readPrincipal, storedFields } from './stored-principal.js';

/** Credentials that a caller presents. */
export interface IdentifiedCredentials {
  readonly by: { readonly scheme: string };
  readonly credentials: Credentials;
  /** Digest of the credentials on this instance. */
  readonly key: string;
}

/** Verified credentials. Instants are on the monotonic clock of this instance. */
export interface SharedCaller {
  readonly principal: Principal;
  /** Only with `verification.keepUpstreamToken`. */
  readonly upstreamToken: AccessToken | undefined;
  /** Time of the call of the upstream. */
  readonly checkedAt: number;
  /** Expiry of the grant. `Infinity` if the upstream stated no expiry. */
  readonly endsAt: number;
}

export interface SharedCredentialsParts {
  readonly store: Store;
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly issuer: symbol;
  /** Whether entries need the token of the upstream. If so, an entry without a token is not used. */
  readonly keepUpstreamToken?: boolean | undefined;
}

/** Credentials that this instance has verified. */
export interface NewCaller extends SharedCaller, StoredPrincipal {
  /** Ms from the call of the upstream during which its answer is used. */
  readonly periodMs: number;
}

/** Credentials that the upstream accepted on this instance, and the time of the call on the monotonic clock. */
interface Accepted {
  readonly key: string;
  readonly askedAt: number;
}

/** Maximum number of answers that are kept. A shared entry expires within five minutes, long before its answer is evicted here. */
const MOST_ANSWERS = 10_000;

/**
 * Shares verified credentials between instances (`verification.share`). The name of an entry is a keyed digest of all fields of
 * the credentials. While the store fails, the upstream is called instead.
 */
export class SharedCredentials {
  /**
   * The last answers of the upstream to this instance, by user and by key. Earlier answers to other instances are no longer used.
   */
  readonly #acceptedOf = new LRUCache<string, Accepted>({ max: MOST_ANSWERS });
  readonly #refusedAt = new LRUCache<string, number>({ max: MOST_ANSWERS });
  /** The last token of each key that the upstream rejected. A stored entry with this token is no longer used. */
  readonly #rejectedTokens = new LRUCache<string, AccessToken>({ max: MOST_ANSWERS });

  constructor(private readonly parts: SharedCredentialsParts) {}

  /** Returns the current position in the log of revocations. Call this method before the upstream is called. */
  mark(): LogPosition {
    return this.parts.log.position();
  }

  /**
   * Returns the caller if an instance has verified these credentials and the answer of the upstream may still be used. Otherwise
   * returns `undefined`.
   */
  async recall(presented: IdentifiedCredentials): Promise<(SharedCaller & { wallAheadMs: number }) | undefined> {
    const { store, log, clock, instance, issuer, keepUpstreamToken = false } = this.parts;
    const askedAt = clock.monotonic();
    const entry = await store.read(this.#nameOf(presented)).catch(() => undefined);
    if (entry === undefined) return undefined;
    const stored = decode(entry.value, instance, issuer);
    if (stored === undefined) return undefined;
    const { principal, mark, periodMs, vouchedMs = Infinity } = stored;
    const { username } = principal;
    const upstreamToken = keepUpstreamToken ? stored.upstreamToken : undefined;
    if (keepUpstreamToken && !this.#isUsable(presented.key, upstreamToken)) return undefined;
    if (log.ended(mark, log.indexOf(username))) return undefined;
    // The store may have read the entry as early as the start of the request, so the whole duration counts as age.
    const now = clock.monotonic();
    const checkedAt = askedAt - Math.max(0, periodMs - entry.remainingMs);
    if (this.#isOvertaken(username, presented.key, checkedAt)) return undefined;
    return { principal, upstreamToken, checkedAt, wallAheadMs: clock.now() - now, endsAt: checkedAt + vouchedMs };
  }

  /** Stores a caller for the rest of the period, in the background. */
  remember(presented: IdentifiedCredentials, caller: NewCaller): void {
    const { store, clock } = this.parts;
    const { periodMs, checkedAt, endsAt } = caller;
    const vouchedMs = endsAt === Infinity ? undefined : endsAt - checkedAt;
    const value = JSON.stringify({ ...storedFields(caller), periodMs, vouchedMs });
    const entry = { value, generation: this.#generation(), lifeMs: checkedAt + periodMs - clock.monotonic() };
    if (entry.lifeMs > 0) void store.write(this.#nameOf(presented), entry).catch(() => undefined);
  }

  /**
   * Call this method when the upstream has accepted credentials on this instance. Stored entries of the same user with another
   * key that were checked before are then no longer used on this instance.
   */
  accepted({ key }: IdentifiedCredentials, username: string, askedAt: number): void {
    this.#acceptedOf.set(username, { key, askedAt });
  }

  /**
   * Call this method when the upstream has rejected credentials. For `keepMs`, no instance uses a stored entry of the same
   * credentials that was verified before.
   */
  refused(presented: IdentifiedCredentials, keepMs: number): void {
    const { store, clock } = this.parts;
    this.#refusedAt.set(presented.key, clock.monotonic());
    void store.discard(this.#nameOf(presented), this.#generation(), keepMs).catch(() => undefined);
  }

  /** Call this method when the upstream has rejected the token of these credentials. */
  tokenRejected(key: string, token: AccessToken): void {
    this.#rejectedTokens.set(key, token);
  }

  #isUsable(key: string, token: AccessToken | undefined): boolean {
    return token !== undefined && this.#rejectedTokens.get(key)?.value !== token.value;
  }

  #isOvertaken(username: string, key: string, checkedAt: number): boolean {
    const accepted = this.#acceptedOf.get(username);
    if (accepted !== undefined && accepted.key !== key && accepted.askedAt >= checkedAt) return true;
    return (this.#refusedAt.get(key) ?? -Infinity) >= checkedAt;
  }

  /** Returns the name of these credentials in the store. It includes the upstream that checks them. */
  #nameOf({ by, credentials: { username, secretKey } }: IdentifiedCredentials): EntryName {
    const { instance, dialect, baseUrl } = this.parts;
    const scheme = by.scheme.toLowerCase();
    return { kind: 'caller', id: canonicalText({ instance, dialect, baseUrl, scheme, username, secretKey }) };
  }

  /** Returns the ms of the wall clock. The clocks of instances may differ, because two answers within a second are equally valid. */
  #generation(): number {
    return Math.floor(this.parts.clock.now());
  }
}

/**
 * Reads an entry of the store. `periodMs`: ms from the call of the upstream for which its answer holds. `vouchedMs`: ms from the
 * call until the grant expires; `undefined` when the upstream does not state an expiry.
 */
function decode(text: string, instance: string, issuer: symbol) {
  const fields = parseObject(text);
  const stored = readPrincipal(fields, instance, issuer);
  const { periodMs, vouchedMs } = fields ?? {};
  if (stored === undefined || !isNumber(periodMs) || !isOptionalNumber(vouchedMs)) return undefined;
  return { ...stored, periodMs, vouchedMs: vouchedMs ?? undefined };
}
