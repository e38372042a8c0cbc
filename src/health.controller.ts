import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { Public, type TokenStatus, XPayTokenService } from 'nestjs-xpay-auth';
import { XPayHealthIndicator } from 'nestjs-xpay-auth/terminus';

/** Probes for the operator of the app. Neither route calls the upstream. */
@Public()
@Controller('health')
export class HealthController {
  constructor(
    private readonly tokens: XPayTokenService,
    private readonly checks: HealthCheckService,
    private readonly xpay: XPayHealthIndicator,
  ) {}

  /**
   * Liveness: 200 as long as the app responds. The state of the upstream and the store does not change the status, because a
   * restart of the app repairs neither of them. The body reports the state of the app token and the shared store.
   */
  @ApiOperation({ summary: 'Alive, with the state of the app token and the shared store' })
  @ApiOkResponse({ description: 'Alive.' })
  @Get()
  health(): { status: 'ok' | 'degraded' | 'down'; token: TokenStatus } {
    const { status } = this.xpay.check().xpay;
    return { status: status === 'up' ? 'ok' : status, token: this.tokens.status() };
  }

  /** Readiness: 503 while the app account is rejected and no token is left, and during shutdown. */
  @ApiOperation({ summary: 'Ready to receive requests' })
  @HealthCheck()
  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.xpay.check()]);
  }
}
