import { Logger, Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { XPayTelemetryModule } from 'nestjs-xpay-auth/opentelemetry';
import { XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import { AuthController } from './auth.controller.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import { ReportsController } from './reports.controller.js';
import { VerifyController } from './verify/verify.controller.js';
import { WalletsController } from './wallets.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot(),
    // Reads all settings from the environment. Every route is protected unless it has @Public().
    XPayAuthModule.forRoot({ globalGuards: true }),
    // Measures nothing until an OpenTelemetry SDK is registered, as serveMetrics() does.
    XPayTelemetryModule.forRoot(),
    TerminusModule.forRoot({ logger: Logger }),
    XPayHealthModule,
  ],
  controllers: [AuthController, HealthController, MeController, ReportsController, VerifyController, WalletsController],
})
export class AppModule {}
