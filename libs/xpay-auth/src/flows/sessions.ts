import { randomBytes } from 'node:crypto';
import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import type { KeyedDigest } from '../core/digest.js';
import { XPayAuthError } from '../core/errors.js';
import type { Principal } from '../core/principal.js';
import type { AuditSink } from './audit-events.js';
import type { CredentialVerifier, PresentedCredentials } from './credential-verifier.js';
import type { Revocations } from './revocations.js';
import { type SessionRecord, SessionRecords } from './session-records.js';

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
}

/** What a login brings: a bearer token of our own, shown this once. */
export interface Session {
  /** What the caller presents as `Authorization: Bearer …`. Only its digest is kept here. */
  readonly accessToken: string;
  /** The scheme to present it by (RFC 6750 §2.1). */
  readonly tokenType: 'Bearer';
  /** Ms since the epoch at which the session ends at the latest. */
  readonly expiresAt: number;
  /** Who logged in. */
  readonly principal: Principal;
}

/**
 * Logins that live for a period: a random bearer of which only a digest is kept. They end by their period, idleness, logout
 * or revocation, and with this process, whose memory they live in.
 */
export class Sessions {
  readonly #records = new SessionRecords();
  #hits = 0;

  constructor(private readonly parts: SessionsParts) {}

  async login(presented: PresentedCredentials): Promise<Session> {
    const { clock, policy, verifier, digest, audit } = this.parts;
    const { principal, grant, mark, answeredAt, lifeMs = Infinity } = await verifier.login(presented);
    const now = clock.monotonic();
    const periodMs = Math.min(policy.periodMs, answeredAt + lifeMs - now);
    const accessToken = policy.token === 'upstream' ? grant.accessToken.value : randomBytes(32).toString('base64url');
    const expiresAt = Math.floor(clock.now() + periodMs);
    this.#records.set(digest.of(bearerHeader(accessToken)), {
      principal,
      mark,
      endsAt: now + periodMs,
      expiresAt,
      seenAt: now,
      upstreamToken: policy.keepUpstreamToken ? grant.accessToken : undefined,
    });
    const { scheme, address } = presented;
    audit({ type: 'login', scheme, username: principal.username, address, reference: grant.reference });
    return { accessToken, tokenType: 'Bearer', expiresAt, principal };
  }

  /** How often a session was recognised. */
  get hits(): number {
    return this.#hits;
  }

  /** Whose session this is, by the digest of its `Authorization` header. Calls nobody. */
  recall(key: string): Principal | undefined {
    const record = this.#alive(key);
    if (record === undefined) return undefined;
    record.seenAt = this.parts.clock.monotonic();
    this.#hits++;
    return record.principal;
  }

  /** Whose session this is. Throws `invalid_token`, asking nobody. */
  verify(token: string): Principal {
    const principal = this.recall(this.parts.digest.of(bearerHeader(token)));
    if (principal !== undefined) return principal;
    throw new XPayAuthError('invalid_token', 'The bearer token is unknown, expired or revoked');
  }

  /** The upstream's token of a live session, where `session.keepUpstreamToken` keeps it. */
  upstreamToken(token: string): AccessToken | undefined {
    return this.#alive(this.parts.digest.of(bearerHeader(token)))?.upstreamToken;
  }

  logout(token: string): void {
    const key = this.parts.digest.of(bearerHeader(token));
    const record = this.#records.get(key);
    this.#records.delete(key);
    if (record !== undefined) this.parts.audit({ type: 'logout', username: record.principal.username });
  }

  revokeUser(username: string): void {
    this.parts.revocations.revokeUser(username);
    this.parts.verifier.forgetUser(username);
    this.parts.audit({ type: 'revoked', username });
  }

  revokeAll(): void {
    this.parts.revocations.revokeAll();
    this.parts.verifier.forgetAll();
    this.#records.clear();
    this.parts.audit({ type: 'revoked', username: '*' });
  }

  #alive(key: string): SessionRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    const { clock, policy, revocations } = this.parts;
    const now = clock.monotonic();
    const idle = policy.idleMs !== undefined && now - record.seenAt >= policy.idleMs;
    // The monotonic clock may stand still while a machine sleeps: whichever clock is there first ends the session.
    const over = now >= record.endsAt || clock.now() >= record.expiresAt;
    if (!over && !idle && !revocations.endedSince(record.mark, record.principal.username)) return record;
    this.#records.delete(key);
    return undefined;
  }
}

/** The one spelling of a bearer header: sessions and raw headers meet in its digest. */
export function bearerHeader(token: string): string {
  return `Bearer ${token}`;
}
