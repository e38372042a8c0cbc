import { AccessToken } from '../core/credentials.js';
import { lengthPrefixed } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import { isAbsent, isObject, isOptionalNumber, isText, isTexts, parseObject } from '../core/json-object.js';
import { Principal } from '../core/principal.js';
import type { EntryName, Store } from '../core/store.js';
import { asNewest } from './as-newest.js';
import type { RevocationLog, LogPosition } from './revocation-log.js';
import { readPrincipal } from './stored-principal.js';

/** A session as the instances share it. */
export interface SharedSession {
  readonly principal: Principal;
  /** When in the order of revocations the upstream was asked. */
  readonly mark: LogPosition;
  /** Where `session.keepUpstreamToken` keeps it. */
  readonly upstreamToken: AccessToken | undefined;
}

/** The same, as it was found. */
export interface FoundSession extends SharedSession {
  readonly generation: number;
  /** Ms for which it will live. */
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
  /** The upstream's own tokens are bearers: the same one may begin a session again. */
  readonly bearersMayRepeat: boolean;
}

/** Sessions in the store, which all instances read. Everything here may throw `store_unavailable`. */
export class SharedSessions {
  constructor(private readonly parts: SharedSessionsParts) {}

  /** The name of this token's session among the instances. */
  indexOf(token: string): string {
    return this.parts.store.indexOf(lengthPrefixed(['session', ...this.parts.scope, token]));
  }

  /** Hears which sessions were ended on any instance, if the news arrive. Returns what ends it. */
  onEnded(listener: (index: string, generation: number) => void): () => void {
    return this.parts.store.subscribe(this.#topic, (message) => {
      const [index = '', generation] = message.split(' ');
      listener(index, Number(generation));
    });
  }

  /** To be taken before the upstream is asked. Looks at the revocations first, so that a login after one counts. */
  async mark(): Promise<LogPosition> {
    const { log } = this.parts;
    await log.catchUp();
    return log.position();
  }

  /** Writes a new session, in place of an earlier one of the same token. Returns its generation. */
  async write(token: string, session: SharedSession, lifeMs: number): Promise<number> {
    const { store, idleMs, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    const put = (generation: number): Promise<boolean> =>
      store.write(name, { value: encode(session), generation, lifeMs });
    let generation = 1;
    if (bearersMayRepeat) generation = await asNewest(this.parts, name, put);
    else await put(generation);
    if (idleMs !== undefined) await this.#touch(token, generation);
    return generation;
  }

  /** The session of this token, if it lives. Its use is noted. */
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
    // Noted so seldom that a busy session costs next to nothing, and so often that it never ends while it is used.
    if (seen !== undefined && idleMs !== undefined && seen.remainingMs < idleMs * 0.9) {
      void this.#touch(token, seen.generation).catch(() => undefined);
    }
    return { ...session, generation: entry.generation, remainingMs: entry.remainingMs };
  }

  /**
   * Ends on all instances every session of this token that was written before, and none that is written afterwards. Throws
   * `store_unavailable`, and does it once the store is back. `known`: the generation of a session that was seen here.
   * `onEnded` receives the greatest generation that is over; `undefined`: there was no session.
   */
  end(token: string, known: number | undefined, onEnded: (generation: number | undefined) => void): Promise<void> {
    const { store, log, periodMs, bearersMayRepeat } = this.parts;
    const name = this.#nameOf('session', token);
    let last: number | undefined;
    const discard = async (generation: number): Promise<boolean> => {
      // Kept for a repetition: where the discard was done and only its answer got lost, a login may have followed.
      last = generation;
      await store.discard(name, generation, periodMs);
      return true;
    };
    return log.orRetryLater(async () => {
      const found = last ?? known ?? (await store.read(name))?.generation;
      if (found === undefined) return onEnded(undefined);
      // Another instance may have written a later session of the same token.
      if (bearersMayRepeat && last === undefined) await asNewest(this.parts, name, discard);
      else await discard(found);
      onEnded(last);
      void store.publish(this.#topic, `${this.indexOf(token)} ${last}`).catch(() => undefined);
    });
  }

  /** Records a use. That record outlives a logout, so its generation grows from login to login as well. */
  async #touch(token: string, generation: number): Promise<void> {
    const { store, idleMs = 0 } = this.parts;
    await store.write(this.#nameOf('seen', token), { value: '', generation: generation + 1, lifeMs: idleMs });
  }

  get #topic(): string {
    return `sessions ${lengthPrefixed(this.parts.scope)}`;
  }

  #nameOf(kind: 'session' | 'seen', token: string): EntryName {
    return { kind, id: lengthPrefixed([...this.parts.scope, token]) };
  }
}

function encode({ principal, mark, upstreamToken }: SharedSession): string {
  const { username, scopes, isAPI, expiresAt } = principal;
  const token = upstreamToken && {
    value: upstreamToken.value,
    expiresAt: upstreamToken.expiresAt,
    scopes: upstreamToken.scopes,
  };
  return JSON.stringify({ username, scopes, isAPI, expiresAt, mark, token });
}

function decode(text: string, instance: string, issuer: symbol): SharedSession | undefined {
  const said = parseObject(text);
  const written = readPrincipal(said);
  const upstreamToken = readToken(said?.['token']);
  if (written === undefined || upstreamToken === 'unreadable') return undefined;
  const { mark, ...facts } = written;
  const scopes = Object.freeze([...facts.scopes]);
  return { principal: new Principal({ ...facts, scopes, instance }, issuer), mark, upstreamToken };
}

function readToken(token: unknown): AccessToken | undefined | 'unreadable' {
  if (isAbsent(token)) return undefined;
  const { value, expiresAt, scopes } = isObject(token) ? token : {};
  if (!isText(value) || !isOptionalNumber(expiresAt) || !isTexts(scopes)) return 'unreadable';
  return new AccessToken(value, { expiresAt: expiresAt ?? undefined, scopes });
}
