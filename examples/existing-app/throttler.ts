// throttler.ts
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { ReportsController } from './reports.controller.js';

@Module({
  imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 100 }]), XPayAuthModule.forRoot({ globalGuards: true })],
  controllers: [ReportsController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }], // in AppModule: runs before the guards of the library
})
export class AppModule {}
