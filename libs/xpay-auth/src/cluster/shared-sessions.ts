import { lengthPrefixed } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { parseObject } from '../core/decoders.js';
import type { EntryName, Store } from '../core/store.js';
import type { LogPosition, RevocationLog } from './revocation-log.js';
import { type StoredPrincipal, readPrincipal, storedFields } from './stored-principal.js';

/** A session that was read from the store. */
export interface FoundSession extends StoredPrincipal {
  readonly generation: number;
  /** Ms until the session ends. */
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
  /** Maximum number of sessions of one user on all instances together. */
  readonly maxPerUser: number;
  /** Whether the tokens of sessions are tokens of the upstream, so that a later login may return the same token. */
  readonly bearersMayRepeat: boolean;
}

/**
 * After a session with a random token has ended, the store refuses writes under the name of this session for this many ms. A
 * short time is enough, because a random token never begins another session.
 */
const KEPT_DISCARDED_MS = 1_000;
/**
 * Duration of a lease in ms. A step takes one round trip. If the process of the holder dies, other instances wait until the lease
 * expires.
 */
const LEASE_MS = 2_000;
/** Ms after which a lease that another instance holds is requested again. */
const RETRY_MS = 10;
/** Ms after which a step without a lease fails with `store_unavailable`. A holder keeps the lease for at most {@link LEASE_MS}. */
const DEADLINE_MS = 10_000;

const ignore = (): void => undefined;

/** Sessions in the store, which all instances read. Every method may throw `store_unavailable`. */
export class SharedSessions {
  constructor(private readonly parts: SharedSessionsParts) {}

  /** Returns the index of this token's session. The index is the same on all instances. */
  indexOf(token: string): string {
    return this.parts.store.indexOf(lengthPrefixed(['session', ...this.parts.scope, token]));
  }

  /**
   * Calls the listener when any instance has ended a session. Notifications may be lost. Returns a function that ends the
   * subscription.
   */
  onEnded(listener: (index: string, generation: number) => void): () => void {
    return this.parts.store.subscribe(this.#topic, (message) => {
      const [index = '', generation] = message.split(' ');
      listener(index, Number(generation));
    });
  }

  /**
   * Returns the current end of the revocation log. Earlier revocations do not end a login that begins now. Call this method
   * before the upstream is called.
   */
  async mark(): Promise<LogPosition> {
    const { log } = this.parts;
    await log.catchUp();
    return log.position();
  }

  /**
   * Writes a new session, which replaces an earlier session of the same token. If the user has more than `maxPerUser` sessions,
   * deletes the user's oldest sessions. Returns the generation of the new session.
   */
  async write(token: string, session: StoredPrincipal, lifeMs: number): Promise<number> {
    const { store, idleMs, periodMs, maxPerUser, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    const put = (generation: number): Promise<boolean> =>
      store.write(name, { value: JSON.stringify(storedFields(session)), generation, lifeMs });
    let generation = 1;
    if (bearersMayRepeat) generation = await asNewest(this.parts, name, put);
    else await put(generation);
    if (idleMs !== undefined) await this.#touch(token, generation);
    // The list is extended after the entries exist, because otherwise another login could delete the entries before they are
    // written.
    const list = this.#listOf(session.principal.username);
    try {
      await store.enlist(list, this.#entriesOf(token), maxPerUser, periodMs);
    } catch (failure) {
      // Delete the session, because otherwise a server whose memory is full would keep a session that is not in the user's list.
      await store.discard(name, generation, KEPT_DISCARDED_MS).catch(ignore);
      throw failure;
    }
    return generation;
  }

  /** Returns the session of this token, unless the session has ended. Records the use of the session. */
  async read(token: string): Promise<FoundSession | undefined> {
    const { store, log, idleMs, scope, issuer } = this.parts;
    const [entry, seen] = await Promise.all([
      store.read(this.#nameOf('session', token)),
      idleMs === undefined ? undefined : store.read(this.#nameOf('seen', token)),
      log.fresh(),
    ]);
    if (entry === undefined || (idleMs !== undefined && seen === undefined)) return undefined;
    const session = readPrincipal(parseObject(entry.value), scope[0] ?? '', issuer);
    if (session === undefined || log.ended(session.mark, log.indexOf(session.principal.username))) return undefined;
    // The use is recorded at most once per tenth of the idle time. This causes few writes for a busy session, and a session in
    // use never ends.
    if (seen !== undefined && idleMs !== undefined && seen.remainingMs < idleMs * 0.9) {
      void this.#touch(token, seen.generation).catch(() => undefined);
    }
    return { ...session, generation: entry.generation, remainingMs: entry.remainingMs };
  }

  /**
   * Ends all sessions of this token that were written before the call, on all instances. Sessions that are written later
   * continue. If the store is unavailable, throws `store_unavailable`, and repeats the logout when the store is available again.
   * `known` is a session of this token that this instance knows. `onEnded` receives the greatest ended generation and the user of
   * the session. `onEnded` receives no generation if there was no session, or if too many logouts wait for the store.
   */
  end(
    token: string,
    known: { readonly generation: number; readonly username: string } | undefined,
    onEnded: (generation: number | undefined, username?: string) => void,
  ): Promise<void> {
    const { store, log, periodMs, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    const keepMs = bearersMayRepeat ? periodMs : KEPT_DISCARDED_MS;
    let last: number | undefined;
    const discard = async (generation: number): Promise<boolean> => {
      // A repetition discards the same generation again. The first discard may have succeeded although its answer was lost. A
      // later login may then have written a session that must not end.
      last = generation;
      await store.discard(name, generation, keepMs);
      return true;
    };
    const run = async (): Promise<void> => {
      const found = known ?? (last === undefined ? await this.#find(name) : undefined);
      if (found === undefined && last === undefined) return onEnded(undefined);
      // Another instance may have written a session of the same token with a greater generation.
      if (bearersMayRepeat && last === undefined) await asNewest(this.parts, name, discard);
      else await discard(last ?? found?.generation ?? 0);
      onEnded(last, found?.username);
      void store.publish(this.#topic, `${this.indexOf(token)} ${last}`).catch(() => undefined);
      if (found !== undefined) this.#forget(token, found.username);
    };
    return log.logout(run, () => onEnded(undefined));
  }

  /** Removes the other entries of an ended session in the background. */
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
    const username = readPrincipal(parseObject(entry.value), scope[0] ?? '', issuer)?.principal.username ?? '';
    return { generation: entry.generation, username };
  }

  /**
   * Records a use of the session. A logout does not delete the record, so the generation of the record also increases from login
   * to login.
   */
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

/**
 * Runs a step under the lease of this name, so that no other instance runs a step at the same time. The step receives a
 * generation that is greater than the generations of all earlier leases and entries of this name. While the step returns `false`,
 * it is repeated with a new generation. Returns the generation of the last step. Throws `store_unavailable`, and the errors of
 * the step.
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
