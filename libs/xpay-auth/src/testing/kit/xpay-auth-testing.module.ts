import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { XPayAuthOptions } from '../../nest/options/xpay-auth-options.js';
import { UpstreamStandIn } from '../../nest/instance/upstream-stand-in.js';
import { XPayAuthCoreModule, XPayAuthModule } from '../../nest/module/xpay-auth.module.js';
import { TestStandIn } from './test-stand-in.js';
import { XPayTestUpstream } from './test-upstream.js';

/** Once for each app, however often the testing module is imported; global, so that every instance finds it. */
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
 * Puts an {@link XPayTestUpstream} in the place of every upstream of an app: no sockets, no environment, callers by
 * `asUser`. Guards, marks, sessions and services are the real ones.
 *
 * ```ts
 * Test.createTestingModule({ imports: [AppModule, XPayAuthTestingModule] }); // an app that imports XPayAuthModule
 * Test.createTestingModule({ imports: [XPayAuthTestingModule.forRoot()], controllers: [ReportsController] }); // a part of one
 * ```
 *
 * With `NODE_ENV=production` it does not start.
 */
@Module({ imports: [StandInModule] })
export class XPayAuthTestingModule {
  /** With an instance of its own, for a part of an app that has none. Takes what `XPayAuthModule.forRoot` takes. */
  static forRoot(options?: XPayAuthOptions): DynamicModule {
    return { module: XPayAuthTestingModule, imports: [XPayAuthModule.forRoot(options)] };
  }
}
