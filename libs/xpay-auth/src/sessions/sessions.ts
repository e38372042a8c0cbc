import { randomBytes } from 'node:crypto';
import { type AccessToken, callerText, type KeyedDigest } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Principal } from '../core/principal.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { AuditSink } from '../core/audit-events.js';
import type { CredentialVerifier } from '../verification/credential-verifier.js';
import type { ReceivedCredentials, Verified } from '../verification/presented-credentials.js';
import type { RevocationLog } from '../cluster/revocation-log.js';
import { Revocations } from '../verification/upstream-check.js';
import { LoginGroups } from './login-groups.js';
import { type AskedAt, type NamedSession, SessionRecheck } from './session-recheck.js';
import { type SessionRecord, SessionRecords } from './session-records.js';
import type { SharedSessions } from '../cluster/shared-sessions.js';

/** The option `session`, resolved. */
export interface SessionPolicy {
  /** Maximum lifetime of a session, in ms. */
  readonly periodMs: number;
  /** Ms without use after which a session ends; `undefined`: no limit. */
  readonly idleMs: number | undefined;
  /** The bearer of the caller: random bits, or the upstream's own token. */
  readonly token: 'opaque' | 'upstream';
  /** Sessions of one user; a login beyond it ends that user's oldest one. */
  readonly maxPerUser: number;
  /** Whether the upstream's token is kept beside the session. */
  readonly keepUpstreamToken: boolean;
}

export interface SessionsParts {
  readonly clock: Clock;
  readonly digest: KeyedDigest;
  readonly policy: SessionPolicy;
  readonly verifier: CredentialVerifier;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Shares sessions with other instances. */
  readonly shared?: { readonly sessions: SharedSessions; readonly log: RevocationLog } | undefined;
  readonly instrumentation: Instrumentation;
}

/** The result of a login: a bearer token of this app, which is returned only once. */
export interface Session {
  /** The caller presents it as `Authorization: Bearer …`. This process keeps only its digest. */
  readonly accessToken: string;
  /** The scheme to present it by (RFC 6750 §2.1). */
  readonly tokenType: 'Bearer';
  /** Ms since the epoch at which the session ends at the latest. */
  readonly expiresAt: number;
  /** The caller who logged in. */
  readonly principal: Principal;
}

/**
 * Logins with a random bearer, of which only a digest is kept. A session ends by its period, idleness, logout or revocation. It
 * also ends with this process, unless sessions are shared: then this memory is a cache in front of the store.
 */
export class Sessions {
  readonly #records: SessionRecords;
  readonly #groups = new LoginGroups<Verified>();
  readonly #recheck: SessionRecheck | undefined;
  /** With shared sessions, the revocations of this instance that the log does not have yet. */
  readonly #own = new Revocations();
  /** The number of times that a session was found. */
  hits = 0;
  /** The number of these for which the shared store was read first. */
  rereads = 0;

  constructor(private readonly parts: SessionsParts) {
    const { shared, policy } = parts;
    this.#records = new SessionRecords(policy.maxPerUser);
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

  /** Throws the failures of the check, and `store_unavailable` where sessions are shared. */
  login(received: ReceivedCredentials): Promise<Session> {
    return this.parts.instrumentation.observe({ type: 'login' }, async () => {
      // The user may be revoked during the login. Then the credentials are checked once more.
      const session = (await this.#login(received)) ?? (await this.#login(received));
      if (session !== undefined) return session;
      const message = 'The user was revoked again during the login, or a revocation waits for the shared store';
      throw new XPayAuthError('store_unavailable', message, { retryAfterMs: 1_000 });
    });
  }

  /** Returns `undefined` if the session was over when it was written. */
  async #login(received: ReceivedCredentials): Promise<Session | undefined> {
    const { clock, policy, digest, audit, shared } = this.parts;
    const ownMark = this.#own.position();
    // If the store is away, fail before the upstream is called.
    const sharedMark = await shared?.sessions.mark();
    const { principal, grant, mark, answeredAt, lifeMs = Infinity } = await this.#check(received);
    const now = clock.monotonic();
    const periodMs = Math.min(policy.periodMs, answeredAt + lifeMs - now);
    const expiresAt = Math.floor(clock.now() + periodMs);
    const accessToken = policy.token === 'upstream' ? grant.accessToken.value : randomBytes(32).toString('base64url');
    const upstreamToken = policy.keepUpstreamToken ? grant.accessToken : undefined;
    const record = { principal, mark, endsAt: now + periodMs, expiresAt, seenAt: now, upstreamToken };
    const key = digest.of(bearerHeader(accessToken));
    if (shared === undefined || sharedMark === undefined) this.#records.set(key, record);
    else {
      const userIndex = shared.log.indexOf(principal.username);
      const isRevoked = (): boolean =>
        this.#own.revokedSince(ownMark, principal.username) || shared.log.ended(sharedMark, userIndex);
      if (isRevoked()) return undefined;
      const generation = await shared.sessions.write(accessToken, { ...record, mark: sharedMark }, periodMs);
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

  #check(received: ReceivedCredentials): Promise<Verified> {
    const { digest, verifier } = this.parts;
    return this.#groups.run(digest.of(callerText(received.credentials)), () => verifier.login(received));
  }

  /** Returns the principal of a session, by the digest of its header. Reads no store, so it knows a shared session for a second. */
  recall(key: string): Principal | undefined {
    const record = this.#alive(key);
    if (record === undefined) return undefined;
    const now = this.parts.clock.monotonic();
    return this.#recheck?.isRecent(record, now) === false ? undefined : this.#recognised(record, now);
  }

  /** Returns the principal of a session. Throws `invalid_token`, or `store_unavailable` where only the store could decide. */
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

  /** Returns the upstream's token of a session, with `session.keepUpstreamToken`. */
  upstreamToken(token: string): AccessToken | undefined {
    return this.#alive(this.parts.digest.of(bearerHeader(token)))?.upstreamToken;
  }

  /**
   * Ends every earlier session of this token, on all instances: with `session.token: 'upstream'` several logins may have equal
   * tokens. Throws `store_unavailable` when the session has ended here, and will end elsewhere once the store is back.
   */
  async logout(token: string): Promise<void> {
    const { digest, audit, shared } = this.parts;
    const key = digest.of(bearerHeader(token));
    const record = this.#records.get(key);
    this.#records.delete(key);
    if (record !== undefined) audit({ type: 'logout', username: record.principal.username });
    if (shared === undefined) return;
    const index = shared.sessions.indexOf(token);
    this.#recheck?.ending(index);
    const settled = (generation: number | undefined): void => this.#recheck?.settled(index, generation);
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

  /** Stops receiving notifications of other instances. */
  stop(): void {
    this.#recheck?.stop();
  }

  /** A user was revoked, here or elsewhere. */
  userRevoked(username: string): void {
    this.parts.revocations.revokeUser(username);
    this.parts.verifier.forgetUser(username);
  }

  /** All users were revoked, here or elsewhere. */
  everyoneRevoked(): void {
    this.parts.revocations.revokeAll();
    this.parts.verifier.forgetAll();
    this.#records.clear();
  }

  /** Replaces the record of this key by the entry of the store. */
  #take(key: string, found: NamedSession | undefined, { checkedAt, mark }: AskedAt): void {
    const { clock, shared } = this.parts;
    if (found === undefined || shared === undefined) return this.#records.delete(key);
    const { principal, upstreamToken, generation, remainingMs, index } = found;
    const userIndex = shared.log.indexOf(principal.username);
    this.#records.set(key, {
      principal,
      mark,
      endsAt: checkedAt + remainingMs,
      expiresAt: clock.now() + remainingMs,
      seenAt: checkedAt,
      upstreamToken,
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
    if (record === undefined) return undefined;
    const { clock, policy } = this.parts;
    const now = clock.monotonic();
    const idle = policy.idleMs !== undefined && now - record.seenAt >= policy.idleMs;
    // The monotonic clock may stand still while a machine sleeps, so the first of the two clocks ends the session.
    const over = now >= record.endsAt || clock.now() >= record.expiresAt;
    if (!over && !idle && !this.#isRevoked(record)) return record;
    this.#records.delete(key);
    return undefined;
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

/** Returns the only accepted spelling of a bearer header, whose digest is the key of a session. */
function bearerHeader(token: string): string {
  return `Bearer ${token}`;
}
