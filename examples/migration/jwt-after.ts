// after: jwt.strategy.ts is deleted
import { Body, Controller, Get, HttpCode, Module, Post, Req } from '@nestjs/common';
import {
  Authenticated,
  type Credentials,
  CurrentUser,
  type IncomingRequest,
  type Principal,
  XPayAuthModule,
  XPaySessionService,
} from 'nestjs-xpay-auth';

@Controller()
export class SessionsController {
  constructor(private readonly sessions: XPaySessionService) {}

  @HttpCode(200)
  @Post('login')
  async login(@Body() { username, secretKey }: Credentials, @Req() request: IncomingRequest) {
    const { accessToken } = await this.sessions.login({ username, secretKey }, { request });
    return { accessToken };
  }

  @Authenticated()
  @Get('me')
  me(@CurrentUser() caller: Principal) {
    return { username: caller.username };
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [SessionsController] })
export class AppModule {}
