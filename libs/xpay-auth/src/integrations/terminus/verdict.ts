import { FAILURES } from '../../core/errors.js';
import type { TokenStatus } from '../../core/token-events.js';
import type { VerificationFailure } from '../../verification/upstream-check.js';

/** The facts about an instance that a probe reads without a request. */
export interface HealthFacts {
  readonly token: TokenStatus;
  /** Whether the app has an account. Without one it needs no token. */
  readonly hasAccount: boolean;
  /** Whether the last attempt failed and no caller starts another one before the end of the backoff. */
  readonly isResting: boolean;
  readonly trouble: VerificationFailure | undefined;
}

/** The health of an instance. */
export interface Verdict {
  readonly status: 'up' | 'degraded' | 'down';
  /** The problems, as fixed texts with an error code. */
  readonly reasons: readonly string[];
}

/** Milliseconds for which a failed verification counts. */
export const RECENT_MS = 60_000;

/**
 * The health of an instance.
 *
 * *down*: the app account is rejected or cannot be read, no usable token is left, and the backoff prevents a new attempt. The
 * cause is in this deployment: another deployment may have the right key. After the backoff the status is *degraded*, because
 * the next caller starts a new attempt. If the status stayed *down*, the instance would get no requests and could never
 * recover.
 *
 * Also *down*: the store rejects calls because of a wrong setting, such as another index key. No session can be read until the
 * setting is corrected.
 *
 * *degraded*: the instance serves callers, but has a problem. A failing upstream makes an instance only *degraded*, even
 * without a token: the upstream fails for all instances, and an app whose instances are all *down* serves no one.
 */
export function verdictOf({ token, hasAccount, isResting, trouble }: HealthFacts): Verdict {
  const { usableForMs, lastError, store } = token;
  const reasons: string[] = [];
  // Without an error a missing token is no problem: the next caller obtains one.
  if (hasAccount && lastError !== undefined)
    reasons.push(`${usableForMs > 0 ? 'the token is not renewed' : 'no usable token'}: ${lastError}`);
  if (store?.state === 'away') reasons.push('store away');
  if (store?.state === 'misconfigured') reasons.push(`store misconfigured: ${store.reason}`);
  if (trouble !== undefined && trouble.ageMs < RECENT_MS) reasons.push(`callers cannot be verified: ${trouble.code}`);

  const isOurs = lastError !== undefined && FAILURES[lastError].trouble === 'ours';
  const isDown = store?.state === 'misconfigured' || (hasAccount && isResting && usableForMs === 0 && isOurs);
  return { status: isDown ? 'down' : reasons.length === 0 ? 'up' : 'degraded', reasons };
}
