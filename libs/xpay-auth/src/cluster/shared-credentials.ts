import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import { isNumber, isOptionalNumber, parseObject } from '../core/json-object.js';
import { Principal } from '../core/principal.js';
import type { EntryName, Store } from '../core/store.js';
import type { RevocationLog, LogPosition } from './revocation-log.js';
import { type StoredPrincipal, readPrincipal } from './stored-principal.js';

/** Verified credentials of another instance. Times are ms from now. */
export interface SharedCaller {
  readonly principal: Principal;
  /** Since the upstream was asked. */
  readonly ageMs: number;
  /** For which the upstream vouches; `undefined` when it does not say. */
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
export interface NewCaller {
  readonly principal: Principal;
  /** When in the order of revocations the upstream was asked. */
  readonly mark: LogPosition;
  /** Ms from the question on for which its answer holds. */
  readonly periodMs: number;
  /** Ms from the question on for which the upstream vouches; `undefined` when it does not say. */
  readonly vouchedMs: number | undefined;
  /** Ms since the question. */
  readonly ageMs: number;
}

/** Credentials that the upstream has accepted here, and when it was asked, on the monotonic clock. */
interface Accepted {
  readonly key: string;
  readonly askedAt: number;
}

/** A shared entry lives for five minutes at most: long before so many others were heard of. */
const MOST_HEARD = 10_000;

/** As it stands in the store; see {@link NewCaller}. */
interface Written extends StoredPrincipal {
  readonly periodMs: number;
  /** Ms from the question on. */
  readonly vouchedMs?: number | undefined;
}

/**
 * Credentials that one instance has verified, for the others: `verification.share`. Named by a keyed digest of all their
 * fields. Trouble with the store is no trouble here: the upstream is asked instead.
 */
export class SharedCredentials {
  /** What the upstream said to this instance last, by user and by key: what others learnt before that is over. */
  readonly #acceptedOf = new LRUCache<string, Accepted>({ max: MOST_HEARD });
  readonly #refusedAt = new LRUCache<string, number>({ max: MOST_HEARD });

  constructor(private readonly parts: SharedCredentialsParts) {}

  /** To be taken before the upstream is asked. */
  mark(): LogPosition {
    return this.parts.log.position();
  }

  /** `key`: the digest by which this instance knows the same credentials. */
  async recall(id: string, key: string): Promise<SharedCaller | undefined> {
    const { store, log, clock, instance, issuer } = this.parts;
    const askedAt = clock.monotonic();
    const entry = await store.read(nameOf(id)).catch(() => undefined);
    if (entry === undefined) return undefined;
    const written = readWritten(entry.value);
    if (written === undefined) return undefined;
    const { username, scopes, isAPI, expiresAt, mark, periodMs, vouchedMs } = written;
    if (log.ended(mark, log.indexOf(username))) return undefined;
    // The answer was under way for a while, and what it says may be as old as the question.
    const now = clock.monotonic();
    const ageMs = Math.max(0, periodMs - entry.remainingMs) + now - askedAt;
    if (this.#isOvertaken(username, key, now - ageMs)) return undefined;
    const facts = { username, scopes: Object.freeze([...scopes]), isAPI, expiresAt, instance };
    const principal = new Principal(facts, issuer);
    return { principal, ageMs, vouchedMs: vouchedMs === undefined ? undefined : vouchedMs - ageMs };
  }

  /** Until `periodMs` from the question on are over; nobody waits for it. */
  remember(id: string, { principal, mark, periodMs, vouchedMs, ageMs }: NewCaller): void {
    const { username, scopes, isAPI, expiresAt } = principal;
    const value = JSON.stringify({ username, scopes, isAPI, expiresAt, mark, periodMs, vouchedMs });
    const entry = { value, generation: this.#generation(), lifeMs: periodMs - ageMs };
    if (entry.lifeMs > 0) void this.parts.store.write(nameOf(id), entry).catch(() => undefined);
  }

  /** The upstream has accepted these here: what anybody remembers of this user's other ones is over. */
  accepted(username: string, key: string, askedAt: number): void {
    this.#acceptedOf.set(username, { key, askedAt });
  }

  /** The upstream refuses them now: for `keepMs` nobody takes what was verified before. */
  refused(id: string, key: string, keepMs: number): void {
    this.#refusedAt.set(key, this.parts.clock.monotonic());
    void this.parts.store.discard(nameOf(id), this.#generation(), keepMs).catch(() => undefined);
  }

  #isOvertaken(username: string, key: string, checkedAt: number): boolean {
    const accepted = this.#acceptedOf.get(username);
    if (accepted !== undefined && accepted.key !== key && accepted.askedAt >= checkedAt) return true;
    return (this.#refusedAt.get(key) ?? -Infinity) >= checkedAt;
  }

  /** Ms of the wall clock: two answers within a second are as good as each other, so any machine's clock will do. */
  #generation(): number {
    return Math.floor(this.parts.clock.now());
  }
}

function nameOf(id: string): EntryName {
  return { kind: 'caller', id };
}

function readWritten(text: string): Written | undefined {
  const said = parseObject(text);
  const principal = readPrincipal(said);
  const { periodMs, vouchedMs } = said ?? {};
  if (principal === undefined || !isNumber(periodMs) || !isOptionalNumber(vouchedMs)) return undefined;
  return { ...principal, periodMs, vouchedMs: vouchedMs ?? undefined };
}
