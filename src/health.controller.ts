import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { Public, type TokenStatus, XPayTokenService } from 'nestjs-xpay-auth';
import { XPayHealthIndicator } from 'nestjs-xpay-auth/terminus';

/** Asked by whoever runs the app. Neither route calls anybody. */
@Public()
@Controller('health')
export class HealthController {
  constructor(
    private readonly tokens: XPayTokenService,
    private readonly checks: HealthCheckService,
    private readonly xpay: XPayHealthIndicator,
  ) {}

  /**
   * For liveness: 200 as long as the app answers, whatever the upstream and the store do, because a restart mends neither.
   * Says beside it how the app's own token and the shared store are doing.
   */
  @ApiOperation({ summary: "Alive, and how the app's own token and the shared store are doing" })
  @ApiOkResponse({ description: 'Alive.' })
  @Get()
  health(): { status: 'ok' | 'degraded' | 'down'; token: TokenStatus } {
    const { status } = this.xpay.check().xpay;
    return { status: status === 'up' ? 'ok' : status, token: this.tokens.status() };
  }

  /** For readiness: 503 while this app's own account is refused and no token is left, and while it shuts down. */
  @ApiOperation({ summary: 'Ready for callers' })
  @HealthCheck()
  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.xpay.check()]);
  }
}
