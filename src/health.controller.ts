import { Controller, Get } from '@nestjs/common';
import { Public, type TokenStatus, XPayTokenService } from 'nestjs-xpay-auth';

@Controller('health')
export class HealthController {
  constructor(private readonly tokens: XPayTokenService) {}

  /** Alive, and how the app's own token is doing. Calls nobody. */
  @Public()
  @Get()
  health(): { status: 'ok'; token: TokenStatus } {
    return { status: 'ok', token: this.tokens.status() };
  }
}
