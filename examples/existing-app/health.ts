// health.ts
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Public, XPayAuthModule } from 'nestjs-xpay-auth';
import { setupXPaySecurity, withXPaySecurity } from 'nestjs-xpay-auth/swagger';
import { XPayHealthIndicator, XPayHealthModule } from 'nestjs-xpay-auth/terminus';

@Public() // otherwise the probes of the operator get 401 under globalGuards
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly xpay: XPayHealthIndicator,
  ) {}

  @HealthCheck()
  @Get()
  ready() {
    return this.health.check([() => this.xpay.check()]);
  }
}

@Module({
  imports: [XPayAuthModule.forRoot({ globalGuards: true }), TerminusModule, XPayHealthModule],
  controllers: [HealthController],
})
export class AppModule {}

/** Serves `/docs`. It is public, because Swagger UI is not a controller and guards do not run for it. */
export function serveDocs(app: INestApplication): void {
  const config = setupXPaySecurity(new DocumentBuilder().setOpenAPIVersion('3.1.0')).build();
  SwaggerModule.setup('docs', app, () => withXPaySecurity(app, SwaggerModule.createDocument(app, config)));
}
