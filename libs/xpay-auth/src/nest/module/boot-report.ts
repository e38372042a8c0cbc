import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost, MetadataScanner } from '@nestjs/core';
import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import { type EntryRule, entryRules, guardsFields, unguardedFields } from './entry-points.js';
import { describeRule, routeRules } from './route-rules.js';
import { XPayInstances } from '../instance/xpay-instances.js';

/**
 * At boot, says at debug level which rule holds for each route, message, pattern and field; stops where the instance of one
 * does not exist or its mark is lost; and does what `undeclaredRoutes` says about those that nobody protects and nobody
 * called public.
 */
@Injectable()
export class BootReport implements OnApplicationBootstrap {
  readonly #logger = new Logger('XPayAuth');

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  onApplicationBootstrap(): void {
    const options = this.instances.all().map((instance) => instance.options);
    const globally = options.some(({ globalGuards }) => globalGuards);
    const hybrid = Boolean(this.adapterHost.httpAdapter);
    const fieldsToo = guardsFields(this.discovery);
    const rules: EntryRule[] = [
      ...routeRules(this.discovery, this.scanner, globally),
      ...entryRules(this.discovery, this.scanner, { globally, hybrid, fieldsToo }),
    ];
    for (const rule of rules) {
      this.#logger.debug(`${rule.route}: ${describeRule(rule)}`);
      if (rule.lostDecorator) throw lost(rule);
      if (rule.guarded && rule.requirement.access !== 'public') this.#assertInstance(rule);
    }
    if (!fieldsToo) this.#assertFieldsGuarded();

    const undeclared = rules.filter(({ guarded, requirement }) => !guarded && !requirement.declared);
    if (undeclared.length === 0) return;
    const routes = undeclared.map(({ route }) => route).join(', ');
    const message = `No guard of this module and no @Public() on ${routes}. Mark them, or set globalGuards.`;
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'deny')) {
      throw new XPayAuthError('configuration', `XPayAuthModule option undeclaredRoutes: 'deny'. ${message}`);
    }
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'warn')) this.#logger.warn(message);
  }

  /** Nest runs no guards before the fields of an object type unless it is told to, and does not say which it leaves out. */
  #assertFieldsGuarded(): void {
    const { byTheirOwnMark, byTheirClass } = unguardedFields(this.discovery, this.scanner);
    const remedy = "Set fieldResolverEnhancers: ['guards'] in the options of GraphQLModule.";
    if (byTheirOwnMark.length > 0) {
      throw new XPayAuthError('configuration', `Nest runs no guards before ${byTheirOwnMark.join(', ')}. ${remedy}`);
    }
    if (byTheirClass.length === 0) return;
    this.#logger.warn(`The mark of their class does not protect the fields ${byTheirClass.join(', ')}. ${remedy}`);
  }

  #assertInstance({ route, requirement }: EntryRule): void {
    try {
      this.instances.get(requirement.instance);
    } catch (thrown) {
      const { message } = asXPayAuthError(thrown, 'configuration', 'no such instance');
      throw new XPayAuthError('configuration', `${route}: ${message}`);
    }
  }
}

function lost({ route }: EntryRule): XPayAuthError {
  return new XPayAuthError(
    'configuration',
    `${route}: its mark is lost. A decorator between the mark and the route replaced the method (write the mark above it), ` +
      'or a subclass overrode it (mark the override, with @Public() if it is to be open).',
  );
}
