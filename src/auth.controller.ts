import { BadRequestException, Body, Controller, Header, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBadRequestResponse, ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Authenticated, type IncomingRequest, Public, XPaySessionService } from 'nestjs-xpay-auth';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';
import { LoginBody, SessionBody } from './docs/bodies.js';

@Controller('auth')
export class AuthController {
  constructor(private readonly sessions: XPaySessionService) {}

  /** Exchanges xPay credentials for a bearer token of this app. */
  @ApiOperation({ summary: 'Log in: a bearer token for a username and a secret key' })
  @ApiBody({ type: LoginBody })
  @ApiOkResponse({ type: SessionBody, description: 'A session of this app. The token is returned only once.' })
  @ApiBadRequestResponse({ description: 'The body does not hold two strings, or they cannot be credentials.' })
  @ApiXPayFailures('login')
  @Public()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Post('login')
  async login(@Body() body: unknown, @Req() request: IncomingRequest) {
    const { username, secretKey } = (body ?? {}) as Record<string, unknown>;
    if (typeof username !== 'string' || typeof secretKey !== 'string') {
      throw new BadRequestException('username and secretKey must be strings');
    }
    const { accessToken, tokenType, expiresAt, principal } = await this.sessions.login(
      { username, secretKey },
      { request },
    );
    return { accessToken, tokenType, expiresAt, username: principal.username, scopes: principal.scopes };
  }

  /** Ends the session of the bearer token in the request. */
  @ApiOperation({
    summary: 'Log out: the bearer token in the request is rejected from now on',
    description: 'Basic credentials have no session to end. Log out with the token.',
  })
  @ApiNoContentResponse({ description: 'The token is rejected from now on.' })
  @Authenticated()
  @HttpCode(204)
  @Post('logout')
  async logout(@Headers('authorization') authorization = ''): Promise<void> {
    await this.sessions.logout(authorization.replace(/^bearer +/i, ''));
  }
}
