import { BadRequestException, Body, Controller, Header, Headers, HttpCode, Ip, Post } from '@nestjs/common';
import { Authenticated, Public, XPaySessionService } from 'nestjs-xpay-auth';

@Controller('auth')
export class AuthController {
  constructor(private readonly sessions: XPaySessionService) {}

  /** Exchanges xPay credentials for a bearer token of this app. */
  @Public()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Post('login')
  async login(@Body() body: unknown, @Ip() address: string) {
    const { username, secretKey } = (body ?? {}) as Record<string, unknown>;
    if (typeof username !== 'string' || typeof secretKey !== 'string') {
      throw new BadRequestException('username and secretKey must be strings');
    }
    const { accessToken, tokenType, expiresAt, principal } = await this.sessions.login(
      { username, secretKey },
      { address },
    );
    return { accessToken, tokenType, expiresAt, username: principal.username, scopes: principal.scopes };
  }

  /** Ends the session of the bearer token that is sent. */
  @Authenticated()
  @HttpCode(204)
  @Post('logout')
  async logout(@Headers('authorization') authorization = ''): Promise<void> {
    await this.sessions.logout(authorization.replace(/^bearer +/i, ''));
  }
}
