// README of 0.1.0, "The whole program".
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { ReportsController } from './reports.controller.js';

@Module({
  imports: [ConfigModule.forRoot(), XPayAuthModule.forRoot()], // reads XPAY_USERNAME and XPAY_SECRET_KEY, also from .env
  controllers: [ReportsController],
})
export class AppModule {}
