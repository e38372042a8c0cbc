import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { XPayAuthOptions } from '../../nest/options/xpay-auth-options.js';
import { UpstreamStandIn } from '../../nest/instance/upstream-stand-in.js';
import { XPayAuthCoreModule, XPayAuthModule } from '../../nest/module/xpay-auth.module.js';
import { TestStandIn } from './test-stand-in.js';
import { XPayTestUpstream } from './test-upstream.js';

/**
 * Exists once per app, even if the testing module is imported several times. The module is global, so that every instance can
 * inject the stand-in.
 */
@Global()
@Module({
  imports: [XPayAuthCoreModule],
  providers: [
    { provide: XPayTestUpstream, useFactory: () => new XPayTestUpstream() },
    { provide: UpstreamStandIn, useClass: TestStandIn },
  ],
  exports: [XPayTestUpstream, UpstreamStandIn],
})
class StandInModule {}

/**
 * Replaces every upstream of an app with an {@link XPayTestUpstream}. The app then uses no sockets to an upstream and reads no
 * environment, and callers come from `asUser`. Guards, decorators, sessions and services are the real ones.
 *
 * ```ts
 * Test.createTestingModule({ imports: [AppModule, XPayAuthTestingModule] }); // an app that imports XPayAuthModule
 * Test.createTestingModule({ imports: [XPayAuthTestingModule.forRoot()], controllers: [ReportsController] }); // a part of one
 * ```
 *
 * The app does not start with `NODE_ENV=production`.
 */
@Module({ imports: [StandInModule] })
export class XPayAuthTestingModule {
  /** Adds an instance to a part of an app that has none. Accepts the options of `XPayAuthModule.forRoot`. */
  static forRoot(options?: XPayAuthOptions): DynamicModule {
    return { module: XPayAuthTestingModule, imports: [XPayAuthModule.forRoot(options)] };
  }
}
