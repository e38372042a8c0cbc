// logging.ts
import { Module } from '@nestjs/common';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { LoggerModule } from 'nestjs-pino';
import { ReportsController } from './reports.controller.js';

const redact = ['req.headers.authorization', 'req.headers.cookie', 'res.headers["set-cookie"]'];

@Module({
  // Without forRoutes, nestjs-pino 5 logs no request on Fastify.
  imports: [LoggerModule.forRoot({ forRoutes: ['*path'], pinoHttp: { redact } }), XPayAuthModule.forRoot()],
  controllers: [ReportsController],
})
export class AppModule {}
