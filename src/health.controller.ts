import { Controller, Get } from '@nestjs/common';
import { Public, type TokenStatus, XPayTokenService } from 'nestjs-xpay-auth';

@Controller('health')
export class HealthController {
  constructor(private readonly tokens: XPayTokenService) {}

  /**
   * Alive, and how the app's own token and the shared store are doing. Calls nobody. `degraded` is alive too: this instance
   * goes on alone until the store is back.
   */
  @Public()
  @Get()
  health(): { status: 'ok' | 'degraded'; token: TokenStatus } {
    const token = this.tokens.status();
    return { status: token.store?.state === 'away' ? 'degraded' : 'ok', token };
  }
}
