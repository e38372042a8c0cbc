import { Inject, Injectable, Module } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { TokenStatus } from '../../core/token-events.js';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { RECENT_MS, type Verdict, verdictOf } from './verdict.js';

/** Options of {@link XPayHealthIndicator.check}. */
export interface XPayHealthOptions {
  /**
   * The name of the instance to check. @default the unnamed instance
   */
  readonly instance?: string;
}

/** The details beside the status, without secrets and usernames. */
export type XPayHealth = {
  /** The problems; empty if there are none. */
  readonly reasons: readonly string[];
  /** The app token; `undefined` for an app without an account. */
  readonly token: Omit<TokenStatus, 'store'> | undefined;
  /** The shared store; `undefined` without one. */
  readonly store: TokenStatus['store'];
  /** The error of the last failed verification within a minute; `undefined` if none failed. */
  readonly verification: XPayAuthErrorCode | undefined;
};

/**
 * Reports the health of an instance to @nestjs/terminus, from its current state: a probe sends no request.
 *
 * ```ts
 * this.health.check([() => this.xpay.check('xpay')]);
 * ```
 *
 * - `up`: no problem, or nothing was requested yet.
 * - `degraded` (HTTP 200): serving, with a problem: the upstream fails, or the store is unavailable. terminus 11 does not have
 *   this status and gets `up`, with the `reasons`.
 * - `down` (HTTP 503): the app account is rejected or cannot be read, and no usable token is left; or the store rejects calls
 *   because of a wrong setting, such as another index key.
 *
 * Use it for readiness, not for liveness: a restart fixes none of these problems.
 */
@Injectable()
export class XPayHealthIndicator {
  /** @hidden */
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
  ) {}

  /**
   * Returns the health of the instance in the format of terminus. Sends no request.
   *
   * @param key the key in the report of terminus
   * @throws XPayAuthError `configuration` if there is no such instance
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
    const { tokens, verifier, options } = this.instances.get(name);
    const status = tokens.status();
    const { store, ...token } = status;
    const trouble = verifier.failure;
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

/** Exports {@link XPayHealthIndicator}. Import it beside `TerminusModule`, in the module of the health routes. */
@Module({ providers: [HealthIndicatorService, XPayHealthIndicator], exports: [XPayHealthIndicator] })
export class XPayHealthModule {}
