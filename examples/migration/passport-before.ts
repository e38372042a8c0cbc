// before: basic.strategy.ts
import { Controller, Get, Injectable, Module, Req, UseGuards } from '@nestjs/common';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import axios from 'axios';
import { BasicStrategy } from 'passport-http';

interface Caller {
  readonly username: string;
  readonly scopes: readonly string[];
}
type Answer = { success: { data: { user: Caller } } } | { error: { message: string } };

@Injectable()
export class XPayBasicStrategy extends PassportStrategy(BasicStrategy) {
  async validate(username: string, secretKey: string): Promise<Caller | null> {
    const url = `${process.env['XPAY_BASE_URL']}/client/authenticate`;
    const { data } = await axios.post<Answer>(url, { username, secretKey, isAPI: true });
    return 'error' in data ? null : data.success.data.user;
  }
}

@Controller()
export class ReportsController {
  @UseGuards(AuthGuard('basic'))
  @Get('me')
  me(@Req() { user }: { user: Caller }) {
    return { username: user.username };
  }
}

@Module({ imports: [PassportModule], controllers: [ReportsController], providers: [XPayBasicStrategy] })
export class AppModule {}
