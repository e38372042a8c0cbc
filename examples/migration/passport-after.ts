// after: basic.strategy.ts is deleted
import { Controller, Get, Module } from '@nestjs/common';
import { Authenticated, CurrentUser, type Principal, XPayAuthModule } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  @Authenticated()
  @Get('me')
  me(@CurrentUser() caller: Principal) {
    return { username: caller.username };
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [ReportsController] })
export class AppModule {}
