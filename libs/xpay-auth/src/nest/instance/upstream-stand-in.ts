import type { XPayInstance } from './instance.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions } from '../options/xpay-auth-options.js';

/**
 * Answers instead of the upstreams, for every instance of an app. Only `XPayAuthTestingModule` of
 * `nestjs-xpay-auth/testing` provides one; without it each instance calls its upstream.
 */
export abstract class UpstreamStandIn {
  /** An instance with these options and with this for its upstream. */
  abstract createInstance(given: XPayAuthFactoryOptions, beside: XPayAuthInstanceOptions): XPayInstance;
}
