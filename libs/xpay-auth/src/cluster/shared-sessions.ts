import { AccessToken, lengthPrefixed } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { isAbsent, isObject, isOptionalNumber, isText, isTexts, parseObject } from '../core/decoders.js';
import type { EntryName, Store } from '../core/store.js';
import type { LogPosition, RevocationLog } from './revocation-log.js';
import { type StoredPrincipal, readPrincipal, storedFields } from './stored-principal.js';

/** A session in the store. */
export interface SharedSession extends StoredPrincipal {
  /** Only with `session.keepUpstreamToken`. */
  readonly upstreamToken: AccessToken | undefined;
}

/** A session that was read from the store. */
export interface FoundSession extends SharedSession {
  readonly generation: number;
  /** Ms until it ends. */
  readonly remainingMs: number;
}

export interface SharedSessionsParts {
  readonly store: Store;
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly scope: readonly string[];
  readonly issuer: symbol;
  readonly periodMs: number;
  readonly idleMs: number | undefined;
  /** Sessions of one user on all instances together. */
  readonly maxPerUser: number;
  /** The bearers are tokens of the upstream, so the same one may begin a session again. */
  readonly bearersMayRepeat: boolean;
}

/** Ms for which an ended session of a random token stays discarded: the token never begins another one. */
const KEPT_DISCARDED_MS = 1_000;
/** A step takes one round trip. If the holder of the lease dies, the others wait for so long. */
const LEASE_MS = 2_000;
/** Interval at which a held lease is requested again. */
const RETRY_MS = 10;
/** After this time the store is treated as unavailable: a holder keeps the lease for at most {@link LEASE_MS}. */
const DEADLINE_MS = 10_000;

const ignore = (): void => undefined;

/** Sessions in the store, which all instances read. Every method may throw `store_unavailable`. */
export class SharedSessions {
  constructor(private readonly parts: SharedSessionsParts) {}

  /** Returns the name of this token's session, the same on all instances. */
  indexOf(token: string): string {
    return this.parts.store.indexOf(lengthPrefixed(['session', ...this.parts.scope, token]));
  }

  /** Receives the sessions that any instance has ended; a notification may be lost. Returns a function that ends it. */
  onEnded(listener: (index: string, generation: number) => void): () => void {
    return this.parts.store.subscribe(this.#topic, (message) => {
      const [index = '', generation] = message.split(' ');
      listener(index, Number(generation));
    });
  }

  /** Returns the position after all revocations, so that a later login holds. Read it before the upstream is called. */
  async mark(): Promise<LogPosition> {
    const { log } = this.parts;
    await log.catchUp();
    return log.position();
  }

  /**
   * Writes a new session, in place of an earlier one of the same token, and deletes the oldest ones of this user beyond
   * `maxPerUser`. Returns its generation.
   */
  async write(token: string, session: SharedSession, lifeMs: number): Promise<number> {
    const { store, idleMs, periodMs, maxPerUser, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    const put = (generation: number): Promise<boolean> =>
      store.write(name, { value: encode(session), generation, lifeMs });
    let generation = 1;
    if (bearersMayRepeat) generation = await asNewest(this.parts, name, put);
    else await put(generation);
    if (idleMs !== undefined) await this.#touch(token, generation);
    // After the entries exist: another login could delete them before they are written.
    const list = this.#listOf(session.principal.username);
    try {
      await store.enlist(list, this.#entriesOf(token), maxPerUser, periodMs);
    } catch (failure) {
      // Otherwise a server that is full would keep a session that no list counts.
      await store.discard(name, generation, KEPT_DISCARDED_MS).catch(ignore);
      throw failure;
    }
    return generation;
  }

  /** Returns the session of this token, unless it has ended. Records its use. */
  async read(token: string): Promise<FoundSession | undefined> {
    const { store, log, idleMs, scope, issuer } = this.parts;
    const [entry, seen] = await Promise.all([
      store.read(this.#nameOf('session', token)),
      idleMs === undefined ? undefined : store.read(this.#nameOf('seen', token)),
      log.fresh(),
    ]);
    if (entry === undefined || (idleMs !== undefined && seen === undefined)) return undefined;
    const session = decode(entry.value, scope[0] ?? '', issuer);
    if (session === undefined || log.ended(session.mark, log.indexOf(session.principal.username))) return undefined;
    // A tenth of the idle time is seldom enough for a busy session, and often enough for one in use never to end.
    if (seen !== undefined && idleMs !== undefined && seen.remainingMs < idleMs * 0.9) {
      void this.#touch(token, seen.generation).catch(() => undefined);
    }
    return { ...session, generation: entry.generation, remainingMs: entry.remainingMs };
  }

  /**
   * Ends on all instances every session of this token that was written before, and none that is written afterwards. Throws
   * `store_unavailable`, and does it once the store is back. `known`: a session of this token that was seen here. `onEnded`
   * receives the greatest generation that is over; `undefined`: there was none, or the logout is not kept for the store.
   */
  end(
    token: string,
    known: { readonly generation: number; readonly username: string } | undefined,
    onEnded: (generation: number | undefined) => void,
  ): Promise<void> {
    const { store, log, periodMs, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    const keepMs = bearersMayRepeat ? periodMs : KEPT_DISCARDED_MS;
    let last: number | undefined;
    const discard = async (generation: number): Promise<boolean> => {
      // Kept for a repetition: if only the answer of the discard was lost, a login may have followed it.
      last = generation;
      await store.discard(name, generation, keepMs);
      return true;
    };
    const run = async (): Promise<void> => {
      const found = known ?? (last === undefined ? await this.#find(name) : undefined);
      if (found === undefined && last === undefined) return onEnded(undefined);
      // Another instance may have written a later session of the same token.
      if (bearersMayRepeat && last === undefined) await asNewest(this.parts, name, discard);
      else await discard(last ?? found?.generation ?? 0);
      onEnded(last);
      void store.publish(this.#topic, `${this.indexOf(token)} ${last}`).catch(() => undefined);
      if (found !== undefined) this.#forget(token, found.username);
    };
    return log.logout(run, () => onEnded(undefined));
  }

  /** Removes what is left of a session that has ended, in the background. */
  #forget(token: string, username: string): void {
    const { store, idleMs, bearersMayRepeat } = this.parts;
    void store.delist(this.#listOf(username), this.#entriesOf(token)).catch(ignore);
    if (idleMs === undefined || bearersMayRepeat) return;
    void store.discard(this.#nameOf('seen', token), Number.MAX_SAFE_INTEGER, KEPT_DISCARDED_MS).catch(ignore);
  }

  async #find(name: EntryName): Promise<{ readonly generation: number; readonly username: string } | undefined> {
    const { store, scope, issuer } = this.parts;
    const entry = await store.read(name);
    if (entry === undefined) return undefined;
    const username = decode(entry.value, scope[0] ?? '', issuer)?.principal.username ?? '';
    return { generation: entry.generation, username };
  }

  /** Records a use. The record survives a logout, so its generation increases from login to login as well. */
  async #touch(token: string, generation: number): Promise<void> {
    const { store, idleMs = 0 } = this.parts;
    await store.write(this.#nameOf('seen', token), { value: '', generation: generation + 1, lifeMs: idleMs });
  }

  get #topic(): string {
    return `sessions ${lengthPrefixed(this.parts.scope)}`;
  }

  /** The entries of a session, which are deleted together. */
  #entriesOf(token: string): readonly EntryName[] {
    const session = this.#nameOf('session', token);
    return this.parts.idleMs === undefined ? [session] : [session, this.#nameOf('seen', token)];
  }

  #listOf(username: string): EntryName {
    return { kind: 'sessions', id: lengthPrefixed([...this.parts.scope, username]) };
  }

  #nameOf(kind: 'session' | 'seen', token: string): EntryName {
    return { kind, id: lengthPrefixed([...this.parts.scope, token]) };
  }
}

function encode(session: SharedSession): string {
  const { value, expiresAt, scopes } = session.upstreamToken ?? {};
  const token = value === undefined ? undefined : { value, expiresAt, scopes };
  return JSON.stringify({ ...storedFields(session), token });
}

function decode(text: string, instance: string, issuer: symbol): SharedSession | undefined {
  const fields = parseObject(text);
  const stored = readPrincipal(fields, instance, issuer);
  const token = fields?.['token'];
  if (stored === undefined || isAbsent(token)) return stored && { ...stored, upstreamToken: undefined };
  const { value, expiresAt, scopes } = isObject(token) ? token : {};
  if (!isText(value) || !isOptionalNumber(expiresAt) || !isTexts(scopes)) return undefined;
  return { ...stored, upstreamToken: new AccessToken(value, { expiresAt: expiresAt ?? undefined, scopes }) };
}

/**
 * Takes a step with a generation greater than that of every lease and entry of this name before it, while no other instance
 * takes one. Repeats it with a new generation as long as the step returns `false`. Returns the generation of the last one.
 * Throws `store_unavailable`, and what the step throws.
 */
async function asNewest(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  name: EntryName,
  step: (generation: number) => Promise<boolean>,
): Promise<number> {
  const deadline = clock.monotonic() + DEADLINE_MS;
  do {
    const lease = await store.acquire(name, LEASE_MS);
    if (lease.kind === 'held') {
      await new Promise<void>((resolve) => void clock.setTimer(resolve, RETRY_MS));
    } else if (await step(lease.generation).finally(() => void lease.release())) {
      return lease.generation;
    }
  } while (clock.monotonic() < deadline);
  throw new XPayAuthError('store_unavailable', 'Other instances hold the lease of this session for too long', {
    retryAfterMs: LEASE_MS,
  });
}
