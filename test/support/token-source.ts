// Builds a token chain without the module, which sets the policy, the renewal share and the randomness itself. Here they are
// arguments.
import type { Credentials, Grant, Store } from 'nestjs-xpay-auth';
import { AccountChannel } from '../../libs/xpay-auth/src/cluster/account-channel.js';
import { SharedToken } from '../../libs/xpay-auth/src/cluster/shared-token.js';
import { Instrumentation } from '../../libs/xpay-auth/src/core/instrumentation.js';
import { Accounts, type AccountsParts } from '../../libs/xpay-auth/src/token/accounts.js';
import type { CachedToken } from '../../libs/xpay-auth/src/token/cached-token.js';
import type { GrantProvider } from '../../libs/xpay-auth/src/token/grant-provider.js';
import { type TokenChainParts, createTokenChain } from '../../libs/xpay-auth/src/token/token-chain.js';

type Policy = TokenChainParts['policy'];

const POLICY: Policy = {
  refreshAt: 0.7,
  backoffMs: { min: 1_000, max: 30_000 },
  rejectedRetryMs: { min: 1_000, max: 60_000 },
  fallbackLifeMs: 300_000,
  deadlineMs: 10_000,
};

export interface TestTokenSource extends Pick<TokenChainParts, 'clock' | 'credentials'> {
  readonly authenticate: (credentials: Credentials, signal: AbortSignal) => Promise<Grant>;
  readonly policy?: Partial<Policy>;
  readonly refresh?: TokenChainParts['refresh'];
  readonly random?: TokenChainParts['random'];
  /** The store that this instance shares with other instances of the same account. */
  readonly store?: Store | undefined;
}

/** Creates a token chain whose policy and randomness are the same in every run. */
export function testTokenSource(options: TestTokenSource): CachedToken {
  return createTokenChain({ ...partsOf(options), credentials: options.credentials, emit: () => undefined });
}

export type TestAccounts = Omit<TestTokenSource, 'credentials'> &
  Pick<AccountsParts, 'credentials' | 'maxEntries' | 'emit'>;

/** Creates the token chains of many accounts, with the same policy and randomness in every run. */
export function testAccounts(options: TestAccounts): Accounts {
  const { credentials, maxEntries, emit } = options;
  return new Accounts({ ...partsOf(options), credentials, maxEntries, emit, refreshAt: () => POLICY.refreshAt });
}

function partsOf(options: Omit<TestTokenSource, 'credentials'>) {
  const { policy, refresh, random = () => 0.5, store, authenticate, clock } = options;
  const scope = ['the app', 'an upstream'];
  const shared = store && { store, channel: new AccountChannel(store, scope), clock, scope, hardMarginMs: undefined };
  return {
    clock,
    authenticate: (own: Credentials, _: unknown, signal: AbortSignal) => authenticate(own, signal),
    policy: { ...POLICY, ...policy },
    refresh,
    random,
    instrumentation: new Instrumentation(),
    share: shared && ((next: GrantProvider) => new SharedToken(shared, next)),
  };
}
