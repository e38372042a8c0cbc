import type { XPayInstance } from './instance.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions } from '../options/xpay-auth-options.js';

/**
 * Answers in the upstreams' place, for every instance of an app. Nobody provides one but `XPayAuthTestingModule` of
 * `nestjs-xpay-auth/testing`; without it each instance speaks to its own upstream.
 */
export abstract class UpstreamStandIn {
  /** An instance with these options and with this for its upstream. */
  abstract createInstance(given: XPayAuthFactoryOptions, beside: XPayAuthInstanceOptions): XPayInstance;
}
