import { LRUCache } from 'lru-cache';
import { Principal } from '../core/principal.js';
import { ScopeSets } from './scope-sets.js';

/** A caller whose credentials the upstream accepted. Times are on the monotonic clock. */
export interface CachedCaller {
  readonly principal: Principal;
  /** When the upstream was asked. The reader judges whether that is recent enough. */
  readonly checkedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one at that moment. */
  readonly wallAheadMs: number;
  /** From here on the upstream's own word has run out. */
  readonly endsAt: number;
  /** When the next renewal behind the caller may begin. */
  readonly renewFrom: number;
}

/** What all principals of one table have in common. */
export interface Issued {
  readonly instance: string;
  readonly issuer?: symbol;
}

/**
 * The callers of the verification period: bounded, the least recently seen make room. One user has one entry: when the
 * upstream accepts another secret of the same user, what it accepted before is forgotten.
 *
 * Each has a place in some columns, and is put together when asked for: kept as objects, they would take half as much again.
 */
export class CredentialCache {
  readonly #placeOf: LRUCache<string, number>;
  readonly #keyOfUser = new Map<string, string>();
  readonly #scopeSets = new ScopeSets();
  /** Places that were left, and from `#untaken` on those that nobody ever had. */
  readonly #left: number[] = [];
  #untaken = 0;
  readonly #usernames: (string | undefined)[];
  readonly #scopes: (readonly string[] | undefined)[];
  readonly #isAPI: Uint8Array;
  readonly #expiresAt: Column;
  readonly #checkedAt: Column;
  readonly #wallAheadMs: Column;
  readonly #endsAt: Column;
  readonly #renewFrom: Column;

  constructor(
    maxEntries: number,
    private readonly issued: Issued,
  ) {
    // A newcomer has a place before the one who makes room has left it.
    const places = maxEntries + 1;
    const column = (): Column => new Column(places);
    this.#usernames = Array.from({ length: places });
    this.#scopes = Array.from({ length: places });
    this.#isAPI = new Uint8Array(places);
    this.#expiresAt = column();
    this.#checkedAt = column();
    this.#wallAheadMs = column();
    this.#endsAt = column();
    this.#renewFrom = column();
    this.#placeOf = new LRUCache({ max: maxEntries, dispose: (place, key) => this.#leave(place, key) });
  }

  get(key: string): CachedCaller | undefined {
    const place = this.#placeOf.get(key);
    if (place === undefined) return undefined;
    const expiresAt = this.#expiresAt.at(place);
    const facts = {
      username: this.#usernames[place] ?? '',
      scopes: this.#scopes[place] ?? [],
      isAPI: this.#isAPI[place] === 1,
      expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
      instance: this.issued.instance,
    };
    return {
      principal: new Principal(facts, this.issued.issuer),
      checkedAt: this.#checkedAt.at(place),
      wallAheadMs: this.#wallAheadMs.at(place),
      endsAt: this.#endsAt.at(place),
      renewFrom: this.#renewFrom.at(place),
    };
  }

  set(key: string, { principal, checkedAt, wallAheadMs, endsAt, renewFrom }: CachedCaller): void {
    const { username, scopes, isAPI, expiresAt = NaN } = principal;
    this.keepOnly(username, key);
    // An entry under this key may belong to the name that the upstream had for the same user until now.
    this.#placeOf.delete(key);
    const place = this.#left.pop() ?? this.#untaken++;
    this.#usernames[place] = username;
    this.#scopes[place] = this.#scopeSets.intern(scopes);
    this.#isAPI[place] = isAPI ? 1 : 0;
    this.#expiresAt.put(place, expiresAt);
    this.#checkedAt.put(place, checkedAt);
    this.#wallAheadMs.put(place, wallAheadMs);
    this.#endsAt.put(place, endsAt);
    this.#renewFrom.put(place, renewFrom);
    this.#placeOf.set(key, place);
    this.#keyOfUser.set(username, key);
  }

  /** The next renewal of this entry may begin then. */
  postpone(key: string, renewFrom: number): void {
    const place = this.#placeOf.peek(key);
    if (place !== undefined) this.#renewFrom.put(place, renewFrom);
  }

  /** Forgets what is remembered of a user under any other key. */
  keepOnly(username: string, key: string): void {
    const other = this.#keyOfUser.get(username);
    if (other !== undefined && other !== key) this.#placeOf.delete(other);
  }

  /** When the upstream was asked about this user last, under whichever key that is. */
  checkedAtOf(username: string): number | undefined {
    const key = this.#keyOfUser.get(username);
    const place = key === undefined ? undefined : this.#placeOf.peek(key);
    return place === undefined ? undefined : this.#checkedAt.at(place);
  }

  forget(key: string): void {
    this.#placeOf.delete(key);
  }

  forgetUser(username: string): void {
    const key = this.#keyOfUser.get(username);
    if (key !== undefined) this.#placeOf.delete(key);
  }

  forgetAll(): void {
    this.#placeOf.clear();
  }

  get size(): number {
    return this.#placeOf.size;
  }

  #leave(place: number, key: string): void {
    const username = this.#usernames[place] ?? '';
    if (this.#keyOfUser.get(username) === key) this.#keyOfUser.delete(username);
    this.#usernames[place] = undefined;
    this.#left.push(place);
  }
}

/** A number for each place. What was never put there is no number, which no comparison lets pass. */
class Column {
  readonly #numbers: Float64Array;

  constructor(places: number) {
    this.#numbers = new Float64Array(places);
  }

  at(place: number): number {
    return this.#numbers[place] ?? NaN;
  }

  put(place: number, value: number): void {
    this.#numbers[place] = value;
  }
}
