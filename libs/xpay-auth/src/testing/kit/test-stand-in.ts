import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { type XPayInstance, createInstance } from '../../nest/instance/instance.js';
import { resolveOptions } from '../../nest/options/resolve-options.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions } from '../../nest/options/xpay-auth-options.js';
import { UpstreamStandIn } from '../../nest/instance/upstream-stand-in.js';
import { testDialect } from './test-dialect.js';
import { XPayTestUpstream } from './test-upstream.js';

const NO_PAUSE = { min: 0, max: 0 };

/** Where an instance without a base URL would live: nowhere (RFC 6761 §6.4). */
const NOWHERE = 'https://upstream.invalid';

/** Builds the instances of an app as it says, but with {@link XPayTestUpstream} for each one's upstream. */
@Injectable()
export class TestStandIn extends UpstreamStandIn implements OnModuleInit {
  readonly #names = new Set<string>();

  constructor(@Inject(XPayTestUpstream) private readonly upstream: XPayTestUpstream) {
    super();
    // What asUser() makes is known to this process alone, so nobody else could use it. Still, it is no place for it.
    if (process.env['NODE_ENV'] === 'production') {
      throw misused('it is for tests, and does not start with NODE_ENV=production.');
    }
  }

  /** Options are checked as in production; the environment is not read, so that a test is the same on every machine. */
  createInstance(given: XPayAuthFactoryOptions, beside: XPayAuthInstanceOptions): XPayInstance {
    const upstream = beside.name === undefined ? this.upstream : this.upstream.of(beside.name);
    const options = resolveOptions(withBaseUrl(given), beside, () => undefined);
    if (this.#names.has(options.name)) {
      throw misused(
        `two instances named "${options.name}". If the app imports XPayAuthModule, import XPayAuthTestingModule beside it, without .forRoot().`,
      );
    }
    this.#names.add(options.name);
    const { verification, token } = options;
    const standingIn = {
      ...options,
      dialect: testDialect(options.dialect, upstream),
      credentials: () => ({ username: 'this-app', secretKey: 'nobody-asks-for-it' }),
      // Nothing is remembered or waited for and nobody is locked out: what a test says of the upstream holds at once.
      attempts: false as const,
      verification: {
        ...verification,
        extractors: withBasic(verification.extractors),
        periodMs: 0,
        refusedPeriodMs: 0,
        staleIfErrorMs: 0,
        cooldownMs: NO_PAUSE,
      },
      token: { ...token, backoffMs: NO_PAUSE, rejectedRetryMs: NO_PAUSE },
    };
    return createInstance(standingIn, { standIn: { send: async (request) => upstream.send(request) } });
  }

  /** Nest calls it. */
  onModuleInit(): void {
    if (this.#names.size > 0) return;
    throw misused(
      'no XPayAuthModule is imported. For a part of an app that has none write XPayAuthTestingModule.forRoot().',
    );
  }
}

/** A base URL may come from the environment in production. What is no object is for `resolveOptions` to refuse. */
function withBaseUrl(given: XPayAuthFactoryOptions): XPayAuthFactoryOptions {
  const { baseUrl, dialect } = given ?? {};
  const hasDefault = typeof dialect === 'object' ? dialect.defaultBaseUrl !== undefined : dialect !== 'password-login';
  return baseUrl !== undefined || hasDefault ? given : { ...given, baseUrl: NOWHERE };
}

/** `asUser` speaks Basic, also to an app that takes nothing but bearers. */
function withBasic<T>(extractors: readonly (T | 'basic')[]): (T | 'basic')[] {
  return [...new Set([...extractors, 'basic' as const])];
}

function misused(why: string): XPayAuthError {
  return new XPayAuthError('configuration', `XPayAuthTestingModule: ${why}`);
}
