// after: guard.ts is deleted
import { Controller, Get, Module } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes, XPayAuthModule } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  @Scopes('tme_user')
  @Get('me')
  me(@CurrentUser() caller: Principal) {
    return { username: caller.username };
  }

  @Scopes('tme_admin')
  @Get('admin')
  admin() {
    return { report: 'admin' };
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [ReportsController] })
export class AppModule {}
