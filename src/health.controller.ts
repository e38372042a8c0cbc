import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Public, type TokenStatus, XPayTokenService } from 'nestjs-xpay-auth';

@Controller('health')
export class HealthController {
  constructor(private readonly tokens: XPayTokenService) {}

  /** Alive, and how the app's own token is doing. Calls nobody. */
  @ApiOperation({ summary: "Alive, and how the app's own token is doing" })
  @ApiOkResponse({ description: 'Alive.' })
  @Public()
  @Get()
  health(): { status: 'ok'; token: TokenStatus } {
    return { status: 'ok', token: this.tokens.status() };
  }
}
