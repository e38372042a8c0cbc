// The app of examples/existing-app/logging.ts without the option `redact`.
import { Module } from '@nestjs/common';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { LoggerModule } from 'nestjs-pino';
import { ReportsController } from '../../examples/existing-app/dist/testing/reports.controller.js';

export class AppModule {}
Module({
  imports: [LoggerModule.forRoot({ forRoutes: ['*path'] }), XPayAuthModule.forRoot()],
  controllers: [ReportsController],
})(AppModule);
