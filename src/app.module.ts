import { Logger, Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import { type XPayAuthFactoryOptions, XPayAuthModule } from 'nestjs-xpay-auth';
import { XPayTelemetryModule } from 'nestjs-xpay-auth/opentelemetry';
import { XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import { AuthController } from './auth.controller.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import { ReportsController } from './reports.controller.js';
import { VerifyController } from './verify/verify.controller.js';
import { WalletsController } from './wallets.controller.js';

/** Keeps the tokens of callers, for `POST /wallets/find`. The tokens of gift-stream are long-lived secrets, which are not kept. */
function keepTokens(): XPayAuthFactoryOptions {
  const keepUpstreamToken = process.env['XPAY_DIALECT'] !== 'gift-stream';
  return { verification: { keepUpstreamToken }, session: { keepUpstreamToken } };
}

@Module({
  imports: [
    ConfigModule.forRoot(),
    // Reads the other settings from the environment. Every route is protected unless it has @Public().
    XPayAuthModule.forRootAsync({ globalGuards: true, useFactory: keepTokens }),
    // Measures nothing until an OpenTelemetry SDK is registered, as serveMetrics() does.
    XPayTelemetryModule.forRoot(),
    TerminusModule.forRoot({ logger: Logger }),
    XPayHealthModule,
  ],
  controllers: [AuthController, HealthController, MeController, ReportsController, VerifyController, WalletsController],
})
export class AppModule {}
