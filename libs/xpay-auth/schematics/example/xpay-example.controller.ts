import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  type Principal,
  Scopes,
  XPayHttpService,
} from 'nestjs-xpay-auth';

/** An example of nestjs-xpay-auth: try it, copy from it, delete it. */
@Controller('xpay-example')
export class XPayExampleController {
  constructor(private readonly xpay: XPayHttpService) {}

  /** For any caller with xPay credentials. curl sends them with -u user:key. */
  @Authenticated()
  @Get('me')
  me(@CurrentUser() caller: Principal) {
    return { username: caller.username, scopes: caller.scopes };
  }

  /** For administrators. Calls xPay with the app account. */
  @Scopes('tme_admin')
  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find', { page: 1, pageSize: 10 });
  }
}
