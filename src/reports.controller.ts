import { Controller, Get } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  @Scopes('tme_user')
  @Get('user/report')
  userReport(@CurrentUser() caller: Principal) {
    return { report: 'user', for: caller.username };
  }

  @Scopes('tme_admin')
  @Get('admin/report')
  adminReport(@CurrentUser() caller: Principal) {
    return { report: 'admin', for: caller.username };
  }
}
