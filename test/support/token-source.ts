// Below the public surface: the module gives every instance its options, a share and a randomness of its own; here each is said.
import type { Store } from 'nestjs-xpay-auth';
import { SharedGrants } from '../../libs/xpay-auth/src/cluster/shared-grants.js';
import { TokenSource, type TokenSourceParts } from '../../libs/xpay-auth/src/token/token-source.js';

type Own = Pick<TokenSourceParts, 'clock' | 'credentials' | 'authenticate'>;
type Policy = TokenSourceParts['policy'];

const POLICY: Policy = {
  refreshAt: 0.7,
  backoffMs: { min: 1_000, max: 30_000 },
  rejectedRetryMs: { min: 1_000, max: 60_000 },
  fallbackLifeMs: 300_000,
  deadlineMs: 10_000,
};

export interface TestTokenSource extends Own {
  readonly policy?: Partial<Policy>;
  readonly refresh?: TokenSourceParts['refresh'];
  readonly random?: TokenSourceParts['random'];
  /** Between this instance and others of the same account. */
  readonly store?: Store | undefined;
}

/** A token source whose policy and chance are the same in every run. */
export function testTokenSource({ policy, refresh, random = () => 0.5, store, ...own }: TestTokenSource): TokenSource {
  const resolved = { ...POLICY, ...policy };
  const { deadlineMs } = resolved;
  const { clock } = own;
  const scope = ['the app', 'an upstream'];
  return new TokenSource({
    ...own,
    policy: resolved,
    refresh,
    random,
    emit: () => undefined,
    share:
      store === undefined
        ? undefined
        : (grants, news) =>
            new SharedGrants({ store, clock, scope, deadlineMs, hardMarginMs: undefined }, grants, news),
  });
}
