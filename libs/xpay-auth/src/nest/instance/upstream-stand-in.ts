import type { XPayInstance } from './instance.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions } from '../options/xpay-auth-options.js';

/**
 * Creates the instances of an app with a stand-in for each upstream. Only `XPayAuthTestingModule` of
 * `nestjs-xpay-auth/testing` provides one. In every other app each instance calls its upstream.
 */
export abstract class UpstreamStandIn {
  /** Returns an instance with these options that calls the stand-in. */
  abstract createInstance(given: XPayAuthFactoryOptions, beside: XPayAuthInstanceOptions): XPayInstance;
}
