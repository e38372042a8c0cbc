import { FAILURES, type XPayAuthErrorCode, type XPayAuthError } from './errors.js';
import { isScope } from './principal.js';

/** An authentication scheme that the challenge of a 401 offers. */
export interface ChallengeScheme {
  /** The name of the scheme, such as `Basic`. */
  readonly scheme: string;
  /** Parameters in addition to the realm, such as `charset="UTF-8"`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The facts that the challenge of a 401 depends on. */
export interface ChallengeContext {
  /** The option `verification.realm`. */
  readonly realm: string;
  /** Every accepted scheme, in the order of the option `verification.extractors`. */
  readonly schemes: readonly ChallengeScheme[];
  /**
   * Whether a script in a browser sent the request (`Sec-Fetch-Dest: empty`). If so, the challenge does not offer `Basic`, which
   * would open the browser's login dialog. @default false
   */
  readonly fromScript?: boolean;
}

/**
 * Returns the value of `WWW-Authenticate` for a failure, or `undefined` if the failure has no challenge. All accepted schemes are
 * in one line, separated by commas (RFC 9110 §11.6.1). The challenge of a 401 has the parameter `error` only if the request had a
 * bearer token (RFC 6750 §3.1).
 */
export function challengeFor(failure: XPayAuthError, context: ChallengeContext): string | undefined {
  if (failure.code === 'insufficient_scope') {
    // A handler may name any text. A text that is no scope could make the header invalid.
    const scope = (failure.requiredScopes ?? []).filter(isScope).join(' ');
    return `Bearer ${parameters({ error: 'insufficient_scope', ...(scope !== '' && { scope }) })}`;
  }
  if (FAILURES[failure.code].status !== 401) return undefined;
  const offered = context.schemes
    .filter(({ scheme }) => !(context.fromScript === true && scheme.toLowerCase() === 'basic'))
    .map(({ scheme, parameters: own }) => {
      return `${scheme} ${parameters({ realm: context.realm, ...own, ...bearerError(scheme, failure.code) })}`;
    });
  return offered.length === 0 ? undefined : offered.join(', ');
}

function bearerError(scheme: string, code: XPayAuthErrorCode): Record<string, string> {
  return scheme.toLowerCase() === 'bearer' && code === 'invalid_token' ? { error: 'invalid_token' } : {};
}

/** Formats `auth-param`s with quoted values (RFC 9110 §11.2, §5.6.4). */
function parameters(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`)
    .join(', ');
}
