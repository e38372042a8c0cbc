import { Module } from '@nestjs/common';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { ReportsController } from './reports.controller.js';

@Module({
  imports: [XPayAuthModule.forRoot()], // reads XPAY_USERNAME and XPAY_SECRET_KEY
  controllers: [ReportsController],
})
export class AppModule {}
