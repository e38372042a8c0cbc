import { AppAccount, type AppAccountParts } from './app-account.js';
import { CachedToken, type CachedTokenParts } from './cached-token.js';
import type { GrantProvider, SharingLink } from './grant-provider.js';
import { TokenBackoff, type TokenBackoffParts } from './token-backoff.js';

export interface TokenChainParts extends AppAccountParts, TokenBackoffParts, CachedTokenParts {
  readonly policy: AppAccountParts['policy'] & TokenBackoffParts['policy'] & CachedTokenParts['policy'];
  /** Creates the link between backoff and app account that shares the token. `undefined` if this instance shares no token. */
  readonly share?: ((next: GrantProvider) => SharingLink) | undefined;
}

/** Builds the chain that obtains the app token: cached token → backoff → shared token → app account. */
export function createTokenChain(parts: TokenChainParts): CachedToken {
  const account = new AppAccount(parts);
  const shared = parts.share?.(account);
  const backoff = new TokenBackoff(parts, account, shared ?? account);
  const cached = new CachedToken(parts, backoff, shared);
  shared?.listen(cached);
  return cached;
}
