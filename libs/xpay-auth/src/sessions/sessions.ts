import { randomBytes } from 'node:crypto';
import {
  type AccessToken,
  LONGEST_HEADER,
  TOKEN68,
  bearerHeader,
  callerText,
  type KeyedDigest,
} from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError, configurationError } from '../core/errors.js';
import { type Principal, withCallerToken } from '../core/principal.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { AuditSink } from '../core/audit-events.js';
import type { CredentialVerifier } from '../verification/credential-verifier.js';
import type { ReceivedCredentials, Verified } from '../verification/presented-credentials.js';
import type { RevocationLog } from '../cluster/revocation-log.js';
import { Revocations } from '../verification/upstream-check.js';
import { LoginGroups } from './login-groups.js';
import { type AskedAt, type NamedSession, SessionRecheck } from './session-recheck.js';
import { type SessionRecord, SessionRecords } from './session-records.js';
import { SessionTokens } from './session-token.js';
import { GrantedToken } from '../verification/kept-token.js';
import type { SharedSessions } from '../cluster/shared-sessions.js';

/** The option `session`, resolved. */
export interface SessionPolicy {
  /** Maximum lifetime of a session, in ms. */
  readonly periodMs: number;
  /** Ms without use after which a session ends; `undefined`: no limit. */
  readonly idleMs: number | undefined;
  /** The kind of token that a login returns: `opaque` is 256 random bits, `upstream` is the token that the upstream issued. */
  readonly token: 'opaque' | 'upstream';
  /** Maximum number of sessions per user. A login that exceeds the maximum ends the user's oldest session. */
  readonly maxPerUser: number;
  /** Whether the session also keeps the token that the upstream issued at the login. */
  readonly keepUpstreamToken: boolean;
}

export interface SessionsParts {
  readonly clock: Clock;
  readonly digest: KeyedDigest;
  readonly policy: SessionPolicy;
  readonly verifier: CredentialVerifier;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Shares sessions with other instances. `undefined` if sessions are not shared. */
  readonly shared?: { readonly sessions: SharedSessions; readonly log: RevocationLog } | undefined;
  readonly instrumentation: Instrumentation;
}

/** The result of a login: a bearer token of this app, which is returned only once. */
export interface Session {
  /** The token of the session, for the header `Authorization: Bearer …`. This process keeps only the digest of the token. */
  readonly accessToken: string;
  /** The scheme of the `Authorization` header (RFC 6750 §2.1). */
  readonly tokenType: 'Bearer';
  /** Ms since the epoch at which the session ends at the latest. */
  readonly expiresAt: number;
  /** The caller who logged in. */
  readonly principal: Principal;
}

/**
 * The sessions that logins have started. Only a digest of each token is kept. A session ends when its period is over, when it was
 * not used for `idleMs`, or by a logout or a revocation. Without a shared store, a session also ends with this process. With a
 * shared store, the sessions in memory are a cache of the store.
 */
export class Sessions {
  readonly #records: SessionRecords;
  readonly #groups = new LoginGroups<Verified>();
  readonly #recheck: SessionRecheck | undefined;
  /** The upstream's tokens of sessions. `undefined` without `session.keepUpstreamToken`. */
  readonly #tokens: SessionTokens | undefined;
  /** With shared sessions, the revocations that began on this instance. They apply here before the log contains them. */
  readonly #own = new Revocations();
  /** Number of requests whose session was found. */
  hits = 0;
  /** Number of requests whose session was found after a read of the shared store. */
  rereads = 0;

  constructor(private readonly parts: SessionsParts) {
    const { shared, policy, verifier } = parts;
    // The store limits shared sessions. An instance does not know in which order all sessions of a user began, so it could end the
    // wrong one.
    const records = (this.#records = new SessionRecords(shared === undefined ? policy.maxPerUser : Infinity));
    if (policy.keepUpstreamToken) {
      this.#tokens = new SessionTokens({
        isShared: shared !== undefined,
        alive: (key) => this.#alive(key),
        recheck: (key, bearer) => this.#recheckInUse(key, bearer),
        ofUser: (username) => records.ofUser(username),
        keptToken: (credentialsKey) => verifier.keptToken(credentialsKey),
        end: (key, bearer) => this.#end(key, bearer),
      });
    }
    this.#recheck =
      shared &&
      new SessionRecheck({
        ...parts,
        sessions: shared.sessions,
        own: this.#own,
        alive: (key) => this.#alive(key),
        take: (key, found, asked) => this.#take(key, found, asked),
      });
  }

  /**
   * Checks the credentials and starts a session. Throws the failures of the check. If sessions are shared, also throws
   * `store_unavailable`.
   */
  login(received: ReceivedCredentials): Promise<Session> {
    return this.parts.instrumentation.observe({ type: 'login' }, async () => {
      this.parts.verifier.refuseMalformed(received);
      // If the user is revoked during the login, the credentials are checked once more.
      const session = (await this.#login(received)) ?? (await this.#login(received));
      if (session !== undefined) return session;
      const message = 'The user was revoked again during the login, or a revocation waits for the shared store';
      throw new XPayAuthError('store_unavailable', message, { retryAfterMs: 1_000 });
    });
  }

  /** Returns `undefined` if the user was revoked during the login. */
  async #login(received: ReceivedCredentials): Promise<Session | undefined> {
    const { clock, policy, digest, verifier, audit, shared } = this.parts;
    const ownMark = this.#own.position();
    // If the store is unavailable, the login fails before the upstream is called.
    const sharedMark = await shared?.sessions.mark();
    const credentialsKey = digest.of(callerText(received.credentials));
    const verified = await this.#groups.run(credentialsKey, () => verifier.login(received));
    const { grant, mark, answeredAt, lifeMs = Infinity } = verified;
    const now = clock.monotonic();
    const periodMs = Math.min(policy.periodMs, answeredAt + lifeMs - now);
    const expiresAt = Math.floor(clock.now() + periodMs);
    const accessToken =
      policy.token === 'upstream' ? asBearer(grant.accessToken) : randomBytes(32).toString('base64url');
    const key = digest.of(bearerHeader(accessToken));
    const granted = new GrantedToken(grant.accessToken);
    const token = this.#tokens?.of({ key, credentialsKey, bearer: accessToken }, granted);
    const principal = token === undefined ? verified.principal : withCallerToken(verified.principal, token);
    const record = { principal, mark, endsAt: now + periodMs, expiresAt, seenAt: now, token };
    if (shared === undefined || sharedMark === undefined) this.#records.set(key, record);
    else {
      const userIndex = shared.log.indexOf(principal.username);
      const isRevoked = (): boolean =>
        this.#own.revokedSince(ownMark, principal.username) || shared.log.ended(sharedMark, userIndex);
      if (isRevoked()) return undefined;
      const stored = { principal, mark: sharedMark, upstreamToken: token?.granted?.token };
      const generation = await shared.sessions.write(accessToken, stored, periodMs);
      if (isRevoked()) return undefined;
      const index = shared.sessions.indexOf(accessToken);
      this.#recheck?.began(index);
      const facts = { mark: sharedMark, userIndex, index, generation, checkedAt: now };
      this.#records.set(key, { ...record, mark: ownMark, shared: facts });
    }
    const { scheme, address } = received;
    audit({ type: 'login', scheme, username: principal.username, address, reference: grant.reference });
    return { accessToken, tokenType: 'Bearer', expiresAt, principal };
  }

  /**
   * Returns the principal of a session from memory. `key` is the digest of the `Authorization` header. Returns `undefined` for a
   * shared session that was last read from the store more than one second ago, because the session may have ended on another
   * instance.
   */
  recall(key: string): Principal | undefined {
    const record = this.#alive(key);
    if (record === undefined) return undefined;
    const now = this.parts.clock.monotonic();
    return this.#recheck?.isRecent(record, now) === false ? undefined : this.#recognised(record, now);
  }

  /**
   * Returns the principal of a session. Throws `invalid_token` if there is no session, and `store_unavailable` if the session
   * must be looked up in the store, and the store is unavailable.
   */
  verify(token: string): Principal | Promise<Principal> {
    const key = this.parts.digest.of(bearerHeader(token));
    const principal = this.recall(key);
    if (principal !== undefined) return principal;
    if (this.#recheck === undefined) throw unknownBearer();
    return this.parts.instrumentation.observe({ type: 'read session' }, () => this.#reread(key, token));
  }

  async #reread(key: string, token: string): Promise<Principal> {
    const record = await this.#recheck?.run(key, token);
    if (record === undefined) throw unknownBearer();
    this.rereads++;
    return this.#recognised(record, this.parts.clock.monotonic());
  }

  /** Reads a session that a handler still uses from the store again, unless its last read is recent. */
  async #recheckInUse(key: string, token: string): Promise<void> {
    const { clock, instrumentation } = this.parts;
    const record = this.#alive(key);
    const recheck = this.#recheck;
    if (record === undefined || recheck === undefined || recheck.isRecent(record, clock.monotonic())) return;
    await instrumentation.observe({ type: 'read session' }, () => recheck.run(key, token));
  }

  /**
   * Returns the upstream's token that a session keeps. `undefined` if there is no session, or without
   * `session.keepUpstreamToken`.
   */
  upstreamToken(token: string): AccessToken | undefined {
    return this.#alive(this.parts.digest.of(bearerHeader(token)))?.token?.granted?.token;
  }

  /**
   * Ends every session that was started with this token before this call, on all instances. With `session.token: 'upstream'`,
   * several logins may have started sessions with the same token. Throws `store_unavailable` if the store could not be called.
   * In this case the session has ended on this instance, and ends on the other instances when the store is available again.
   */
  logout(token: string): Promise<void> {
    return this.#end(this.parts.digest.of(bearerHeader(token)), token);
  }

  /** @param token may be `undefined` if sessions are not shared */
  async #end(key: string, token: string | undefined): Promise<void> {
    const { audit, shared } = this.parts;
    const record = this.#records.get(key);
    this.#records.delete(key);
    if (record !== undefined) audit({ type: 'logout', username: record.principal.username });
    if (shared === undefined || token === undefined) return;
    const index = shared.sessions.indexOf(token);
    this.#recheck?.ending(index);
    const settled = (generation: number | undefined, username?: string): void => {
      this.#recheck?.settled(index, generation);
      if (record === undefined && username !== undefined && username !== '') audit({ type: 'logout', username });
    };
    const known = record?.shared && {
      generation: record.shared.generation,
      username: record.principal.username,
    };
    await shared.sessions.end(token, known, settled);
  }

  /** Like {@link logout}, for all sessions of a user. */
  async revokeUser(username: string): Promise<void> {
    this.#own.revokeUser(username);
    this.userRevoked(username);
    this.parts.audit({ type: 'revoked', username });
    await this.parts.shared?.log.revokeUser(username);
  }

  /** Like {@link logout}, for all users. */
  async revokeAll(): Promise<void> {
    this.#own.revokeAll();
    this.everyoneRevoked();
    this.parts.audit({ type: 'revoked', username: '*' });
    await this.parts.shared?.log.revokeAll();
  }

  /** Returns the number of sessions in memory that have not ended. */
  count(): number {
    return [...this.#records.values()].filter((record) => !this.#hasEnded(record)).length;
  }

  /** Ends the subscription to notifications from other instances. */
  stop(): void {
    this.#recheck?.stop();
  }

  /** Call this method when this or another instance has revoked a user. */
  userRevoked(username: string): void {
    this.parts.revocations.revokeUser(username);
    this.parts.verifier.forgetUser(username);
  }

  /** Call this method when this or another instance has revoked all users. */
  everyoneRevoked(): void {
    this.parts.revocations.revokeAll();
    this.parts.verifier.forgetAll();
    this.#records.clear();
  }

  /** Replaces the record of this key with the session that was found in the store, or deletes the record if none was found. */
  #take(key: string, found: NamedSession | undefined, { checkedAt, mark }: AskedAt): void {
    const { clock, shared } = this.parts;
    if (found === undefined || shared === undefined) return this.#records.delete(key);
    const { upstreamToken, generation, remainingMs, index, bearer } = found;
    const userIndex = shared.log.indexOf(found.principal.username);
    const granted = upstreamToken && new GrantedToken(upstreamToken);
    const token = this.#tokens?.of({ key, credentialsKey: undefined, bearer }, granted);
    this.#records.set(key, {
      principal: token === undefined ? found.principal : withCallerToken(found.principal, token),
      mark,
      endsAt: checkedAt + remainingMs,
      expiresAt: clock.now() + remainingMs,
      seenAt: checkedAt,
      token,
      shared: { mark: found.mark, userIndex, index, generation, checkedAt },
    });
  }

  #recognised(record: SessionRecord, now: number): Principal {
    record.seenAt = now;
    this.hits++;
    return record.principal;
  }

  #alive(key: string): SessionRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined || !this.#hasEnded(record)) return record;
    this.#records.delete(key);
    return undefined;
  }

  #hasEnded(record: SessionRecord): boolean {
    const { clock, policy } = this.parts;
    const now = clock.monotonic();
    const idle = policy.idleMs !== undefined && now - record.seenAt >= policy.idleMs;
    // The monotonic clock may stand still while a machine sleeps. The session therefore ends when the monotonic clock or
    // the wall clock reaches the end of the session, whichever comes first.
    const over = now >= record.endsAt || clock.now() >= record.expiresAt;
    return over || idle || this.#isRevoked(record);
  }

  #isRevoked({ principal, mark, shared }: SessionRecord): boolean {
    const { revocations, shared: parts } = this.parts;
    if (shared === undefined || parts === undefined) return revocations.revokedSince(mark, principal.username);
    const { index, generation, mark: sharedMark, userIndex } = shared;
    if (this.#recheck?.hasEnded(index, generation) === true) return true;
    return this.#own.revokedSince(mark, principal.username) || parts.log.ended(sharedMark, userIndex);
  }
}

function unknownBearer(): XPayAuthError {
  return new XPayAuthError('invalid_token', 'The bearer token is unknown, expired or revoked');
}

/** Returns the upstream's token, if an `Authorization` header can carry it. Throws `configuration` for any other token. */
function asBearer({ value }: AccessToken): string {
  if (TOKEN68.test(value) && bearerHeader(value).length <= LONGEST_HEADER) return value;
  throw configurationError(
    "session.token: 'upstream': the token of the upstream does not fit a bearer header (RFC 6750 §2.1). Use 'opaque'.",
  );
}
