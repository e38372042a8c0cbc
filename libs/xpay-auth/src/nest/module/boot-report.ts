import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, HttpAdapterHost, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ConfigService } from '@nestjs/config';
import { configurationError } from '../../core/errors.js';
import { XPAY_INSTANCE } from '../instance/injection.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import type { ResolvedOptions } from '../options/resolve-options.js';
import { unreadVariables } from '../options/unread-variables.js';
import { type EntryPoint, entryPoints, gatewaysWithoutHandshake, guardsFields } from './entry-points.js';
import { routeNames } from './route-names.js';

const LOST_DECORATOR =
  'its access decorator is lost. A decorator between it and the route replaced the method (write it above that one), ' +
  'or a subclass overrode the method (decorate the override, with @Public() if it is to be open).';
const HANDSHAKE_REMEDY =
  'Nest runs no guards when a socket is opened. Inject XPayHandshake, and call its accept() in handleConnection.';
const FIELDS_REMEDY = "Set fieldResolverEnhancers: ['guards'] in the options of GraphQLModule.";

/**
 * Logs at boot, at debug level, the requirement of each route, message, pattern and field. Stops the boot if a requirement
 * names an instance that does not exist, or if an access decorator is lost. Applies `undeclaredRoutes` to the routes, messages,
 * patterns and fields that are neither protected nor declared public.
 */
@Injectable()
export class BootReport implements OnApplicationBootstrap {
  readonly #logger = new Logger('XPayAuth');

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ConfigService) private readonly config: ConfigService,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(ApplicationConfig) private readonly appConfig: ApplicationConfig,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {}

  onApplicationBootstrap(): void {
    this.#assertOneInstancePerModule();
    const options = this.instances.all().map((instance) => instance.options);
    options.forEach((one) => this.#warnOfUnreadVariables(one));
    const globally = options.some(({ globalGuards }) => globalGuards);
    // Global guards of a hybrid app do not apply to its microservices, unless it sets `inheritAppConfig`.
    const hybrid = Boolean(this.adapterHost.httpAdapter);
    const found = entryPoints(this.discovery, this.scanner, routeNames(this.appConfig, this.modules));
    const fieldsToo = guardsFields(this.discovery);
    const undeclared: string[] = [];
    for (const point of found.filter(({ kind }) => fieldsToo || kind !== 'field')) {
      const { label, kind, requirement, guardedBy, lostDecorator } = point;
      const guarded = guardedBy !== undefined || (globally && !(kind === 'pattern' && hybrid));
      this.#logger.debug(`${label}: ${describe(point, guarded)}`);
      if (lostDecorator) throw configurationError(`${label}: ${LOST_DECORATOR}`);
      if (guarded && requirement.access !== 'public') this.instances.get(requirement.instance, `${label}: `);
      if (!guarded && !requirement.declared) undeclared.push(label);
    }
    if (!fieldsToo) this.#assertFieldsGuarded(found.filter(({ kind }) => kind === 'field'));
    for (const gateway of gatewaysWithoutHandshake(this.discovery)) {
      this.#logger.warn(`${gateway}.handleConnection: the decorator protects nothing. ${HANDSHAKE_REMEDY}`);
    }
    if (undeclared.length === 0) return;
    const message = `No guard of this module and no @Public() on ${undeclared.join(', ')}. Decorate them (routes of another guard with @Public(), which leaves the other guard in place), or set globalGuards.`;
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'deny')) {
      throw configurationError(`XPayAuthModule option undeclaredRoutes: 'deny'. ${message}`);
    }
    if (options.some(({ undeclaredRoutes }) => undeclaredRoutes === 'warn')) this.#logger.warn(message);
  }

  /** Nest would create a request-scoped instance for each request, without the caches and sessions of the others. */
  #assertOneInstancePerModule(): void {
    const instances = this.discovery.getProviders().filter(({ token }) => token === XPAY_INSTANCE);
    if (instances.every((instance) => instance.isDependencyTreeStatic())) return;
    throw configurationError(
      'XPayAuthModule.forRootAsync: its options depend on a request-scoped provider, such as REQUEST. ' +
        'The options apply to all requests, so inject only providers of the default scope.',
    );
  }

  /**
   * Nest runs no guards before the fields of an object type unless `fieldResolverEnhancers` has `guards`. Without them a
   * decorator on a field protects nothing, and Nest does not report that.
   */
  #assertFieldsGuarded(fields: readonly EntryPoint[]): void {
    const guardedBy = (by: EntryPoint['guardedBy']): string =>
      fields.flatMap((field) => (field.guardedBy === by ? [field.place] : [])).join(', ');
    const [byMethod, byClass] = [guardedBy('method'), guardedBy('class')];
    if (byMethod !== '') {
      throw configurationError(`Nest runs no guards before ${byMethod}. ${FIELDS_REMEDY}`);
    }
    if (byClass === '') return;
    this.#logger.warn(`The decorator of their class does not protect the fields ${byClass}. ${FIELDS_REMEDY}`);
  }

  /**
   * Warns of variables that look meant for this instance but are not read. If one of them is the base URL, the default upstream
   * would receive the secret keys of callers.
   */
  #warnOfUnreadVariables({ envPrefix, inCode }: ResolvedOptions): void {
    const read = (name: string): string | undefined => this.config.get<string>(name);
    const message = unreadVariables(envPrefix, this.config, read, (option) => inCode.has(option));
    if (message !== undefined) this.#logger.warn(message);
  }
}

/** The requirement as a text for the log. */
function describe({ requirement }: EntryPoint, guarded: boolean): string {
  const { access, all, any, instance } = requirement;
  if (!guarded) return access === 'public' ? 'public' : 'NOT PROTECTED by this module';
  const scopes = [
    ...(all.length > 0 ? [`all of ${all.join(' ')}`] : []),
    ...(any.length > 0 ? [`one of ${any.join(' ')}`] : []),
  ];
  return [access, ...scopes, ...(instance === undefined ? [] : [`by ${instance}`])].join(', ');
}
