// intermediate step: reports.controller.ts keeps AuthGuard and request.user
import { Controller, Get, Module, Req, UseGuards } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { type Principal, XPayAuthModule } from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  @UseGuards(AuthGuard('xpay')) // was AuthGuard('basic')
  @Get('me')
  me(@Req() { user }: { user: Principal }) {
    return { username: user.username };
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [ReportsController] })
export class AppModule {}
