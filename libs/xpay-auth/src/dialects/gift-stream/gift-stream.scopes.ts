import { asXPayAuthError, configurationError } from '../../core/errors.js';
import { isScope } from '../../core/principal.js';

/** A caller whose credentials gift-stream has accepted. */
export interface GiftStreamCaller {
  /** The e-mail address of the user as gift-stream states it, which may differ from the presented one. */
  readonly username: string;
}

/** The scopes of callers. gift-stream has no scopes, so the app determines the scopes of its users. */
export interface GiftStreamScopesOptions {
  /**
   * The scopes of every caller whose credentials gift-stream accepts. @default none
   */
  scopes?: readonly string[];
  /**
   * Returns the scopes of a caller. Set this option instead of `scopes`. The function is called after each check at gift-stream,
   * and its result is cached with the result of the check. If the function throws, the check fails with `configuration`.
   */
  scopesFor?: (principal: GiftStreamCaller) => readonly string[] | Promise<readonly string[]>;
}

/** Returns a function that returns the scopes of a verified caller. Throws `configuration` for invalid options. */
export function scopesReader(
  options: GiftStreamScopesOptions,
): (caller: GiftStreamCaller) => Promise<readonly string[]> {
  const { scopes = [], scopesFor } = options;
  if (scopesFor === undefined) {
    const fixed = Object.freeze([...checked(scopes, 'scopes')]);
    return () => Promise.resolve(fixed);
  }
  if (options.scopes !== undefined) {
    throw configurationError('giftStream: give `scopes` or `scopesFor`, not both');
  }
  return async (caller) => {
    try {
      return checked(await scopesFor(caller), 'the result of scopesFor');
    } catch (thrown) {
      throw asXPayAuthError(thrown, 'configuration', 'giftStream: the option `scopesFor` failed');
    }
  };
}

function checked(scopes: unknown, what: string): readonly string[] {
  if (Array.isArray(scopes) && scopes.every(isScope)) return scopes;
  throw configurationError(`giftStream: ${what} must be an array of scope names (RFC 6749 §3.3)`);
}
