import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import { isScope } from '../../core/scopes.js';

/** Whom gift-stream has accepted. */
export interface GiftStreamCaller {
  /** gift-stream's own name for the user (an e-mail address), not what was typed. */
  readonly username: string;
}

/** gift-stream has no scopes, so the app says what its users may do. */
export interface GiftStreamScopesOptions {
  /**
   * What every caller holds whose credentials gift-stream accepts. @default none
   */
  scopes?: readonly string[];
  /**
   * What this caller holds; asked after each check at gift-stream, and remembered with its answer for as long. Instead of
   * `scopes`. What it throws fails the check with `configuration`: nobody is let in, nobody is called wrong.
   */
  scopesFor?: (principal: GiftStreamCaller) => readonly string[] | Promise<readonly string[]>;
}

/** Says what a verified caller holds. Throws `configuration` for options that cannot be meant. */
export function scopesReader(
  options: GiftStreamScopesOptions,
): (caller: GiftStreamCaller) => Promise<readonly string[]> {
  const { scopes = [], scopesFor } = options;
  if (scopesFor === undefined) {
    const fixed = Object.freeze([...checked(scopes, 'scopes')]);
    return () => Promise.resolve(fixed);
  }
  if (options.scopes !== undefined) {
    throw new XPayAuthError('configuration', 'giftStream: give `scopes` or `scopesFor`, not both');
  }
  return async (caller) => {
    try {
      return checked(await scopesFor(caller), 'what scopesFor returned');
    } catch (thrown) {
      throw asXPayAuthError(thrown, 'configuration', 'giftStream: the option `scopesFor` failed');
    }
  };
}

function checked(scopes: unknown, what: string): readonly string[] {
  if (Array.isArray(scopes) && scopes.every(isScope)) return scopes;
  throw new XPayAuthError('configuration', `giftStream: ${what} must be an array of scope names (RFC 6749 §3.3)`);
}
