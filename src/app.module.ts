import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { AuthController } from './auth.controller.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import { ReportsController } from './reports.controller.js';
import { VerifyController } from './verify/verify.controller.js';
import { WalletsController } from './wallets.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot(),
    // Everything it needs is in the environment. Every route is protected unless it is marked @Public().
    XPayAuthModule.forRoot({ globalGuards: true }),
  ],
  controllers: [AuthController, HealthController, MeController, ReportsController, VerifyController, WalletsController],
})
export class AppModule {}
