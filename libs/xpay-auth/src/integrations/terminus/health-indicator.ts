import { Inject, Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { TokenStatus } from '../../core/token-events.js';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { RECENT_MS, type Verdict, verdictOf } from './verdict.js';

/** What {@link XPayHealthIndicator.check} looks at. */
export interface XPayHealthOptions {
  /**
   * Which named instance. @default the unnamed one
   */
  readonly instance?: string;
}

/** What stands beside the status. Holds no secret and no user name. */
export type XPayHealth = {
  /** What is wrong; empty when nothing is. */
  readonly reasons: readonly string[];
  /** The app's own token; `undefined` for an app without an account. */
  readonly token: Omit<TokenStatus, 'store'> | undefined;
  /** The shared store; `undefined` without one. */
  readonly store: TokenStatus['store'];
  /** Why callers could not be verified within the last minute; `undefined` when they could, or none had to be. */
  readonly verification: XPayAuthErrorCode | undefined;
};

/**
 * Tells @nestjs/terminus how an instance is doing, from what it knows already: a probe calls nobody.
 *
 * ```ts
 * this.health.check([() => this.xpay.check('xpay')]);
 * ```
 *
 * - `up`: all is well, or nothing has been asked for yet.
 * - `degraded` (HTTP 200): serving, with something wrong: the upstream fails, the store is away. terminus 11 does not know
 *   the word and is told `up`, with the `reasons`.
 * - `down` (HTTP 503): this app's own account is refused or cannot be read, and there is no token left.
 *
 * For readiness. Liveness must not depend on it: a restart mends none of this.
 */
@Injectable()
export class XPayHealthIndicator {
  /** @hidden */
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
  ) {}

  /**
   * How the instance is doing, in the shape that terminus asks for. Calls nobody.
   *
   * @param key under which terminus reports it
   * @throws XPayAuthError `configuration` when there is no such instance
   */
  check<const Key extends string = 'xpay'>(
    key: Key = 'xpay' as Key,
    options: XPayHealthOptions = {},
  ): HealthIndicatorResult<Key, HealthIndicatorResult[string]['status'], XPayHealth> {
    const { status, ...health } = this.#read(options.instance);
    const indicator = this.indicators.check(key);
    const knowsDegraded = typeof (indicator as { degraded?: unknown }).degraded === 'function';
    if (status === 'up' || (status === 'degraded' && !knowsDegraded)) return indicator.up(health);
    return status === 'down' ? indicator.down(health) : indicator.degraded(health);
  }

  #read(name: string | undefined): XPayHealth & { readonly status: Verdict['status'] } {
    const { tokens, trouble: lastTrouble, options } = this.instances.get(name);
    const status = tokens.status();
    const { store, ...token } = status;
    const trouble = lastTrouble();
    const hasAccount = options.credentials !== undefined;
    const isResting = token.nextRefreshAt !== undefined && token.nextRefreshAt > options.clock.now();
    return {
      ...verdictOf({ token: status, hasAccount, isResting, trouble }),
      token: hasAccount ? token : undefined,
      store,
      verification: trouble !== undefined && trouble.ageMs < RECENT_MS ? trouble.code : undefined,
    };
  }
}
