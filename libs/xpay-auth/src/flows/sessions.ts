import { LRUCache } from 'lru-cache';
import { randomBytes } from 'node:crypto';
import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import type { KeyedDigest } from '../core/digest.js';
import { XPayAuthError } from '../core/errors.js';
import type { Principal } from '../core/principal.js';
import type { AuditSink } from './audit-events.js';
import type { CredentialVerifier, PresentedCredentials } from './credential-verifier.js';
import type { RevocationLog, SharedMark } from './revocation-log.js';
import { type RevocationMark, Revocations } from './revocations.js';
import type { SharedSession, SharedSessions } from './shared-sessions.js';
import { SingleFlight } from './single-flight.js';

export interface SessionPolicy {
  readonly periodMs: number;
  readonly idleMs: number | undefined;
  readonly token: 'opaque' | 'upstream';
  readonly keepUpstreamToken: boolean;
}

export interface SessionsParts {
  readonly clock: Clock;
  readonly digest: KeyedDigest;
  readonly policy: SessionPolicy;
  readonly verifier: CredentialVerifier;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Where sessions are shared with other instances. */
  readonly shared?: { readonly sessions: SharedSessions; readonly log: RevocationLog } | undefined;
}

/** What a login brings: a bearer token of our own, shown this once. */
export interface Session {
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  /** Ms since the epoch. */
  readonly expiresAt: number;
  readonly principal: Principal;
}

interface SessionRecord {
  readonly principal: Principal;
  readonly mark: RevocationMark;
  /** On the monotonic clock. */
  readonly endsAt: number;
  seenAt: number;
  readonly upstreamToken: AccessToken | undefined;
  /** When the store was asked for it, on the monotonic clock; where sessions are shared. */
  checkedAt: number;
  /** In the store. */
  readonly generation: number | undefined;
  readonly shared: { readonly mark: SharedMark; readonly userIndex: string } | undefined;
}

/** A shared session that was read so long ago is read again. */
const RECHECK_AFTER_MS = 1_000;
/** While the store is away, a session goes on for so long after it was last read. */
const ALONE_MS = 60_000;
/** Who has a session here does not wait longer for the store. */
const BUDGET_MS = 50;

/** A read is over long before so many others have logged out. */
const MOST_ENDED = 10_000;

/** Sessions alive at once in one process; beyond it the least recently used end. */
const MOST_SESSIONS = 100_000;

/**
 * Logins that live for a period: a random bearer of which only a digest is kept. They end by their period, idleness, logout
 * or revocation, and with this process, whose memory they live in; unless they are shared, and this memory is in front.
 */
export class Sessions {
  readonly #records = new LRUCache<string, SessionRecord>({ max: MOST_SESSIONS });
  readonly #reads = new SingleFlight<SessionRecord | undefined>();
  /** Logged out here; what a read under way still brings of them is not taken. */
  readonly #ended = new LRUCache<string, true>({ max: MOST_ENDED });
  /** Where sessions are shared, the log says who was revoked; this is for what was revoked here and is not in it yet. */
  readonly #own = new Revocations();
  #hits = 0;

  constructor(private readonly parts: SessionsParts) {}

  async login(presented: PresentedCredentials): Promise<Session> {
    const { clock, policy, verifier, digest, audit, shared } = this.parts;
    // A store that is away is noticed before the upstream is asked for nothing.
    const ownMark = this.#own.mark();
    const sharedMark = await shared?.sessions.mark();
    const { principal, grant, mark, answeredAt, lifeMs = Infinity } = await verifier.login(presented);
    const now = clock.monotonic();
    const periodMs = Math.min(policy.periodMs, answeredAt + lifeMs - now);
    const accessToken = policy.token === 'upstream' ? grant.accessToken.value : randomBytes(32).toString('base64url');
    const upstreamToken = policy.keepUpstreamToken ? grant.accessToken : undefined;
    const found = sharedMark && { principal, mark: sharedMark, upstreamToken };
    const generation = found && (await shared?.sessions.write(accessToken, found, periodMs));
    const times = { endsAt: now + periodMs, seenAt: now, checkedAt: now };
    const marks = { mark: found === undefined ? mark : ownMark, shared: this.#sharedOf(found) };
    const record = { principal, ...times, ...marks, upstreamToken, generation };
    const key = digest.of(bearerHeader(accessToken));
    this.#ended.delete(key);
    this.#records.set(key, record);
    const { scheme, address } = presented;
    audit({ type: 'login', scheme, username: principal.username, address, reference: grant.reference });
    return { accessToken, tokenType: 'Bearer', expiresAt: Math.floor(clock.now() + periodMs), principal };
  }

  /** How often a session was recognised. */
  get hits(): number {
    return this.#hits;
  }

  /** Whose session this is, by the digest of its `Authorization` header. Calls nobody; knows no shared one for long. */
  recall(key: string): Principal | undefined {
    const record = this.#alive(key);
    if (record === undefined) return undefined;
    const now = this.parts.clock.monotonic();
    if (this.parts.shared !== undefined && now - record.checkedAt >= RECHECK_AFTER_MS) return undefined;
    return this.#recognised(record, now);
  }

  /** Whose session this is. Throws `invalid_token`, or `store_unavailable` when only the store could tell. */
  verify(token: string): Principal | Promise<Principal> {
    const key = this.parts.digest.of(bearerHeader(token));
    const principal = this.recall(key);
    if (principal !== undefined) return principal;
    const { shared } = this.parts;
    if (shared === undefined) throw unknownBearer();
    return this.#recheck(shared.sessions, key, token);
  }

  /** The upstream's token of a live session, where `session.keepUpstreamToken` keeps it. */
  upstreamToken(token: string): AccessToken | undefined {
    return this.#alive(this.parts.digest.of(bearerHeader(token)))?.upstreamToken;
  }

  /** Throws `store_unavailable` when it has ended here, and elsewhere will once the store is back. */
  async logout(token: string): Promise<void> {
    const key = this.parts.digest.of(bearerHeader(token));
    const record = this.#records.get(key);
    this.#records.delete(key);
    if (this.parts.shared !== undefined) this.#ended.set(key, true);
    if (record !== undefined) this.parts.audit({ type: 'logout', username: record.principal.username });
    await this.parts.shared?.sessions.end(token, record?.generation);
  }

  /** As {@link logout}, for all that a user has. */
  async revokeUser(username: string): Promise<void> {
    this.#own.revokeUser(username);
    this.hearUser(username);
    this.parts.audit({ type: 'revoked', username });
    await this.parts.shared?.log.revokeUser(username);
  }

  async revokeAll(): Promise<void> {
    this.#own.revokeAll();
    this.hearEverybody();
    this.parts.audit({ type: 'revoked', username: '*' });
    await this.parts.shared?.log.revokeAll();
  }

  /** A user was revoked, here or elsewhere. */
  hearUser(username: string): void {
    this.parts.revocations.revokeUser(username);
    this.parts.verifier.forgetUser(username);
  }

  /** Everybody was revoked, here or elsewhere. */
  hearEverybody(): void {
    this.parts.revocations.revokeAll();
    this.parts.verifier.forgetAll();
    this.#records.clear();
  }

  /** Asks the store, and goes on with what is here if it is slow or away. */
  async #recheck(shared: SharedSessions, key: string, token: string): Promise<Principal> {
    const { clock } = this.parts;
    const reading = this.#reads.run(key, () => this.#read(shared, key, token));
    const here = this.#alive(key);
    const record = await (here === undefined ? reading : this.#inTime(reading, here.checkedAt, key));
    if (record === undefined) throw unknownBearer();
    return this.#recognised(record, clock.monotonic());
  }

  async #read(shared: SharedSessions, key: string, token: string): Promise<SessionRecord | undefined> {
    const [mark, checkedAt] = [this.#own.mark(), this.parts.clock.monotonic()];
    const found = await shared.read(token);
    if (found === undefined || this.#ended.has(key)) {
      this.#records.delete(key);
      return undefined;
    }
    const { principal, upstreamToken, generation, remainingMs } = found;
    const endsAt = checkedAt + remainingMs;
    const times = { endsAt, seenAt: checkedAt, checkedAt };
    const record = { principal, mark, ...times, upstreamToken, generation, shared: this.#sharedOf(found) };
    this.#records.set(key, record);
    return this.#alive(key);
  }

  /** What the store says, if it says so soon; else what is here, if that is not too old. */
  #inTime(
    reading: Promise<SessionRecord | undefined>,
    checkedAt: number,
    key: string,
  ): Promise<SessionRecord | undefined> {
    const { clock } = this.parts;
    return new Promise((resolve, reject) => {
      const isRecent = clock.monotonic() - checkedAt < ALONE_MS;
      const cancel = isRecent ? clock.setTimer(() => resolve(this.#alive(key)), BUDGET_MS) : undefined;
      const failed = (failure: unknown): void => {
        cancel?.();
        if (isRecent) resolve(this.#alive(key));
        else reject(failure);
      };
      const arrived = (record: SessionRecord | undefined): void => {
        cancel?.();
        resolve(record);
      };
      reading.then(arrived, failed);
    });
  }

  #isRevoked({ principal, mark, shared }: SessionRecord): boolean {
    const { revocations, shared: parts } = this.parts;
    if (shared === undefined || parts === undefined) return revocations.endedSince(mark, principal.username);
    return this.#own.endedSince(mark, principal.username) || parts.log.ended(shared.mark, shared.userIndex);
  }

  #sharedOf(session: SharedSession | undefined): SessionRecord['shared'] {
    const { shared } = this.parts;
    if (session === undefined || shared === undefined) return undefined;
    return { mark: session.mark, userIndex: shared.log.indexOf(session.principal.username) };
  }

  #recognised(record: SessionRecord, now: number): Principal {
    record.seenAt = now;
    this.#hits++;
    return record.principal;
  }

  #alive(key: string): SessionRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    const { clock, policy } = this.parts;
    const now = clock.monotonic();
    const idle = policy.idleMs !== undefined && now - record.seenAt >= policy.idleMs;
    if (now < record.endsAt && !idle && !this.#isRevoked(record)) return record;
    this.#records.delete(key);
    return undefined;
  }
}

function unknownBearer(): XPayAuthError {
  return new XPayAuthError('invalid_token', 'The bearer token is unknown, expired or revoked');
}

/** The one spelling of a bearer header: sessions and raw headers meet in its digest. */
export function bearerHeader(token: string): string {
  return `Bearer ${token}`;
}
