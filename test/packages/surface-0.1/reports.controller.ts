// README of 0.1.0, "The whole program".
import { Controller, Get } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes, XPayHttpService } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Scopes('tme_user')
  @Get('me')
  me(@CurrentUser() caller: Principal) {
    return { username: caller.username, scopes: caller.scopes };
  }

  @Scopes('tme_admin')
  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find', { page: 1, pageSize: 10 });
  }
}
