import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import { isNumber, isOptionalNumber, parseObject } from '../core/decoders.js';
import type { Principal } from '../core/principal.js';
import type { EntryName, Store } from '../core/store.js';
import type { LogPosition, RevocationLog } from './revocation-log.js';
import { type StoredPrincipal, readPrincipal, storedFields } from './stored-principal.js';

/** Verified credentials of another instance. */
export interface SharedCaller {
  readonly principal: Principal;
  /** Ms since the upstream was called. */
  readonly ageMs: number;
  /** Ms from now until the grant expires; `undefined` when the upstream does not state an expiry. */
  readonly vouchedMs: number | undefined;
}

export interface SharedCredentialsParts {
  readonly store: Store;
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly instance: string;
  readonly issuer: symbol;
}

/** Credentials that this instance has verified. */
export interface NewCaller extends Stored {
  /** Ms since the upstream was called. */
  readonly ageMs: number;
}

/** Credentials that the upstream has accepted here, and when it was called, on the monotonic clock. */
interface Accepted {
  readonly key: string;
  readonly askedAt: number;
}

/** The most answers that are kept. A shared entry expires within five minutes, long before it is dropped here. */
const MOST_ANSWERS = 10_000;

/** An entry in the store. */
interface Stored extends StoredPrincipal {
  /** Ms from the call of the upstream for which its answer holds. */
  readonly periodMs: number;
  /** Ms from the call until the grant expires; `undefined` when the upstream does not state an expiry. */
  readonly vouchedMs: number | undefined;
}

/**
 * Shares the credentials that one instance has verified with the others: `verification.share`. An entry is named by a keyed
 * digest of all their fields. While the store fails, the upstream is called instead.
 */
export class SharedCredentials {
  /** The last answers of the upstream to this instance, by user and by key. Earlier answers to others no longer hold. */
  readonly #acceptedOf = new LRUCache<string, Accepted>({ max: MOST_ANSWERS });
  readonly #refusedAt = new LRUCache<string, number>({ max: MOST_ANSWERS });

  constructor(private readonly parts: SharedCredentialsParts) {}

  /** Returns the current position in the log. Read it before the upstream is called. */
  mark(): LogPosition {
    return this.parts.log.position();
  }

  /** @param key the digest of the same credentials on this instance */
  async recall(id: string, key: string): Promise<SharedCaller | undefined> {
    const { store, log, clock, instance, issuer } = this.parts;
    const askedAt = clock.monotonic();
    const entry = await store.read(nameOf(id)).catch(() => undefined);
    if (entry === undefined) return undefined;
    const stored = decode(entry.value, instance, issuer);
    if (stored === undefined) return undefined;
    const { principal, mark, periodMs, vouchedMs } = stored;
    const { username } = principal;
    if (log.ended(mark, log.indexOf(username))) return undefined;
    // The answer of the store may be as old as the request.
    const now = clock.monotonic();
    const ageMs = Math.max(0, periodMs - entry.remainingMs) + now - askedAt;
    if (this.#isOvertaken(username, key, now - ageMs)) return undefined;
    return { principal, ageMs, vouchedMs: vouchedMs === undefined ? undefined : vouchedMs - ageMs };
  }

  /** Stores a caller for the rest of the period, in the background. */
  remember(id: string, caller: NewCaller): void {
    const { periodMs, vouchedMs, ageMs } = caller;
    const value = JSON.stringify({ ...storedFields(caller), periodMs, vouchedMs });
    const entry = { value, generation: this.#generation(), lifeMs: periodMs - ageMs };
    if (entry.lifeMs > 0) void this.parts.store.write(nameOf(id), entry).catch(() => undefined);
  }

  /** The upstream has accepted these credentials. Those of the same user that any instance has stored before no longer hold. */
  accepted(username: string, key: string, askedAt: number): void {
    this.#acceptedOf.set(username, { key, askedAt });
  }

  /** The upstream has rejected these credentials. For `keepMs` no instance accepts what was verified before. */
  refused(id: string, key: string, keepMs: number): void {
    this.#refusedAt.set(key, this.parts.clock.monotonic());
    void this.parts.store.discard(nameOf(id), this.#generation(), keepMs).catch(() => undefined);
  }

  #isOvertaken(username: string, key: string, checkedAt: number): boolean {
    const accepted = this.#acceptedOf.get(username);
    if (accepted !== undefined && accepted.key !== key && accepted.askedAt >= checkedAt) return true;
    return (this.#refusedAt.get(key) ?? -Infinity) >= checkedAt;
  }

  /** Ms of the wall clock. Clocks may differ, because two answers within a second are equally good. */
  #generation(): number {
    return Math.floor(this.parts.clock.now());
  }
}

function nameOf(id: string): EntryName {
  return { kind: 'caller', id };
}

function decode(text: string, instance: string, issuer: symbol): Stored | undefined {
  const fields = parseObject(text);
  const stored = readPrincipal(fields, instance, issuer);
  const { periodMs, vouchedMs } = fields ?? {};
  if (stored === undefined || !isNumber(periodMs) || !isOptionalNumber(vouchedMs)) return undefined;
  return { ...stored, periodMs, vouchedMs: vouchedMs ?? undefined };
}
