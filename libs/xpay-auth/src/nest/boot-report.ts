import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import { type RouteRule, describeRule, routeRules } from './route-rules.js';
import { XPayInstances } from './xpay-instances.js';

/**
 * At boot, says at debug level which rule holds for each route, stops for a route whose instance does not exist, and does
 * what `undeclaredRoutes` says about routes that nobody protects and nobody called public.
 */
@Injectable()
export class BootReport implements OnApplicationBootstrap {
  readonly #logger = new Logger('XPayAuth');

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
  ) {}

  onApplicationBootstrap(): void {
    const options = this.instances.all().map((instance) => instance.options);
    const globally = options.some(({ globalGuards }) => globalGuards);
    const rules = routeRules(this.discovery, this.scanner, globally);
    for (const rule of rules) {
      this.#logger.debug(`${rule.route}: ${describeRule(rule)}`);
      if (rule.lostItsMark) throw lost(rule);
      if (rule.guarded && rule.requirement.access !== 'public') this.#assertInstance(rule);
    }

    const undeclared = rules.filter(({ guarded, requirement }) => !guarded && !requirement.marked);
    if (undeclared.length === 0) return;
    const routes = undeclared.map(({ route }) => route).join(', ');
    const message = `No guard of this module and no @Public() on ${routes}. Mark them, or set globalGuards.`;
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'deny')) {
      throw new XPayAuthError('configuration', `XPayAuthModule option undeclaredRoutes: 'deny'. ${message}`);
    }
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'warn')) this.#logger.warn(message);
  }

  #assertInstance({ route, requirement }: RouteRule): void {
    try {
      this.instances.get(requirement.instance);
    } catch (thrown) {
      const { message } = asXPayAuthError(thrown, 'configuration', 'no such instance');
      throw new XPayAuthError('configuration', `${route}: ${message}`);
    }
  }
}

function lost({ route }: RouteRule): XPayAuthError {
  return new XPayAuthError(
    'configuration',
    `${route}: its mark is lost. A decorator between the mark and the route replaced the method (write the mark above it), ` +
      'or a subclass overrode it (mark the override, with @Public() if it is to be open).',
  );
}
