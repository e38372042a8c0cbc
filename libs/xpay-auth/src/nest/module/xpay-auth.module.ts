import { type DynamicModule, Global, Inject, Module, Optional, type Provider } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { isObject } from '../../core/decoders.js';
import { configurationError } from '../../core/errors.js';
import { XPayAuditService } from '../services/audit.service.js';
import { BootReport } from './boot-report.js';
import { AccessControl, ScopesGuard, XPayAuthGuard } from '../guards/xpay-auth.guard.js';
import { XPayHandshake } from '../guards/handshake.service.js';
import { XPayHttpService } from '../services/http.service.js';
import { XPAY_INSTANCE, getXPayInjectionToken } from '../instance/injection.js';
import { type XPayInstance, openInstance } from '../instance/instance.js';
import { resolveOptions } from '../options/resolve-options.js';
import type {
  XPayAuthAsyncOptions,
  XPayAuthFactoryOptions,
  XPayAuthInstanceOptions,
  XPayAuthOptions,
  XPayAuthOptionsFactory,
} from '../options/xpay-auth-options.js';
import { PeerAddresses } from '../request/peer-addresses.js';
import { XPaySessionService } from '../services/session.service.js';
import { XPayTokenService } from '../services/token.service.js';
import { UpstreamStandIn } from '../instance/upstream-stand-in.js';
import { XPayAuthFilter } from '../filters/xpay-auth.filter.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { XPayStrategy } from '../strategy/xpay.strategy.js';

const SHARED = [XPayInstances, AccessControl, XPayAuthGuard, ScopesGuard, XPayHandshake];

/**
 * The providers that all instances of an app share: registry, guards and filter. The module is global, so that every module of
 * the app can use the guards.
 */
@Global()
@Module({
  imports: [DiscoveryModule, ConfigModule],
  providers: [...SHARED, BootReport, PeerAddresses, { provide: APP_FILTER, useClass: XPayAuthFilter }],
  exports: SHARED,
})
export class XPayAuthCoreModule {}

/** The module of the library. Import `XPayAuthModule.forRoot()` once for each upstream. */
@Module({})
export class XPayAuthModule {
  /** @hidden */
  constructor(@Optional() @Inject(XPAY_INSTANCE) instance?: unknown) {
    if (instance === undefined) {
      throw configurationError('Import XPayAuthModule.forRoot() or forRootAsync(…), not the class XPayAuthModule.');
    }
  }

  /** Adds an instance. Options that are not set come from the environment: `XPAY_USERNAME`, `XPAY_SECRET_KEY` … */
  static forRoot(options?: XPayAuthOptions): DynamicModule {
    const said: unknown = options ?? {};
    if (!isObject(said)) throw configurationError('XPayAuthModule.forRoot: expected an object with options.');
    const { name: _name, isGlobal: _isGlobal, globalGuards: _globalGuards, ...given } = said;
    return defineModule(besideOf(said), { useFactory: () => given });
  }

  /** Adds an instance whose options come from a factory. Set `name`, `isGlobal` and `globalGuards` beside the factory. */
  static forRootAsync(options: XPayAuthAsyncOptions): DynamicModule {
    const stray = Object.keys(options).find((key) => !BESIDE_THE_FACTORY.has(key));
    if (stray !== undefined) {
      throw configurationError(
        `XPayAuthModule.forRootAsync: ${stray} is not an option of forRootAsync itself. Return it from the factory.`,
      );
    }
    return defineModule(besideOf(options), options);
  }
}

const BESIDE_THE_FACTORY = new Set(
  'name isGlobal globalGuards imports inject useFactory useClass useExisting'.split(' '),
);

/** The services that an app injects, each with the property of {@link XPayInstance} that holds the service. */
const SERVICES = [
  [XPayTokenService, 'tokens'],
  [XPayHttpService, 'http'],
  [XPaySessionService, 'sessions'],
  [XPayAuditService, 'auditing'],
  [XPayStrategy, 'strategy'],
] as const;

/** The factory of the options, and the providers that it needs. */
type OptionsSource = Omit<XPayAuthAsyncOptions, keyof XPayAuthInstanceOptions>;

function defineModule(beside: XPayAuthInstanceOptions, source: OptionsSource): DynamicModule {
  const { name, isGlobal = true, globalGuards = false } = beside;
  const given = Symbol('options that the factory of XPayAuthModule.forRootAsync makes');
  const services = SERVICES.map(([type, part]) => ({
    provide: getXPayInjectionToken(type, name),
    useFactory: (whole: XPayInstance): unknown => whole[part],
    inject: [XPAY_INSTANCE],
  }));
  return {
    module: XPayAuthModule,
    global: isGlobal,
    imports: [XPayAuthCoreModule, ConfigModule, ...(source.imports ?? [])],
    providers: [
      ...factoryProviders(given, source),
      {
        provide: XPAY_INSTANCE,
        inject: [given, ConfigService, XPayInstances, { token: UpstreamStandIn, optional: true }],
        useFactory: async (
          options: XPayAuthFactoryOptions,
          config: ConfigService,
          instances: XPayInstances,
          standIn: unknown,
        ) => {
          // A mocker of @nestjs/testing may provide any object for a missing token.
          const whole =
            standIn instanceof UpstreamStandIn
              ? standIn.createInstance(options, beside)
              : await openInstance(resolveOptions(options, beside, (variable) => config.get<string>(variable)));
          instances.add(whole);
          return whole;
        },
      },
      ...services,
      ...(globalGuards ? [{ provide: APP_GUARD, useExisting: XPayAuthGuard }] : []),
    ],
    exports: services.map(({ provide }) => provide),
  };
}

function factoryProviders(given: symbol, source: OptionsSource): Provider[] {
  const { useFactory, inject = [], useClass, useExisting } = source;
  const ways = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw configurationError(
      `XPayAuthModule.forRootAsync: expected exactly one of useFactory, useClass and useExisting, found ${ways.length}.`,
    );
  }
  if (useFactory !== undefined) return [{ provide: given, useFactory, inject }];
  const factory = useExisting ?? Symbol('options factory');
  return [
    ...(useClass === undefined ? [] : [{ provide: factory, useClass }]),
    { provide: given, useFactory: (made: XPayAuthOptionsFactory) => made.createXPayAuthOptions(), inject: [factory] },
  ];
}

/** The options of {@link XPayAuthInstanceOptions} that are set. An explicit `undefined` counts as not set. */
function besideOf(options: XPayAuthInstanceOptions): XPayAuthInstanceOptions {
  const { name, isGlobal, globalGuards } = options;
  return Object.fromEntries(
    Object.entries({ name, isGlobal, globalGuards }).filter(([, value]) => value !== undefined),
  );
}
