import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import type { TokenStatus } from '../../core/token-events.js';
import type { VerificationFailure } from '../../verification/upstream-check.js';

/** What is known of an instance without asking anybody. */
export interface HealthFacts {
  readonly token: TokenStatus;
  /** The app has an account of its own: without one nobody misses a token. */
  readonly hasAccount: boolean;
  /** No caller sets off an attempt at this moment: the last one has failed, and the upstream rests. */
  readonly isResting: boolean;
  readonly trouble: VerificationFailure | undefined;
}

export interface Verdict {
  readonly status: 'up' | 'degraded' | 'down';
  /** What is wrong, in words out of a closed set and codes of failure. */
  readonly reasons: readonly string[];
}

/** Trouble with callers' credentials counts for so many ms after the check that met it. */
export const RECENT_MS = 60_000;

/**
 * How an instance is doing.
 *
 * *down*: this app's own account is refused or cannot be read, no usable token is left, and callers are turned away without
 * an attempt. That is this deployment's trouble and not the weather: another one may have the right key. Once the rest is
 * over the next caller tries again, so it is *degraded* then: an instance that gets no requests while it is down could never
 * find out that it is well.
 *
 * *degraded*: serving, with something wrong. An upstream in trouble is no more than that, token or not: it is away for
 * every instance alike, and an app without any instance serves nobody.
 */
export function verdictOf({ token, hasAccount, isResting, trouble }: HealthFacts): Verdict {
  const reasons = [
    ...(hasAccount ? tokenTrouble(token) : []),
    ...(token.store?.state === 'away' ? ['store away'] : []),
    ...(trouble !== undefined && trouble.ageMs < RECENT_MS ? [`callers cannot be verified: ${trouble.code}`] : []),
  ];
  if (hasAccount && isResting && token.usableForMs === 0 && isOurs(token.lastError)) return { status: 'down', reasons };
  return { status: reasons.length === 0 ? 'up' : 'degraded', reasons };
}

/** A token that nobody has asked for yet, or that ran out while nobody did, is no trouble: the next caller gets one. */
function tokenTrouble({ usableForMs, lastError }: TokenStatus): string[] {
  if (lastError === undefined) return [];
  return [`${usableForMs > 0 ? 'the token is not renewed' : 'no usable token'}: ${lastError}`];
}

function isOurs(code: XPayAuthErrorCode | undefined): boolean {
  return code !== undefined && FAILURES[code].trouble === 'ours';
}
