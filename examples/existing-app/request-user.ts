// request-user.ts
import { type CanActivate, Controller, type ExecutionContext, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes } from 'nestjs-xpay-auth';

interface Account {
  readonly id: number;
  readonly email: string;
}

/** Loads the record of the caller into `request.user`, as other parts of the app expect it. */
@Injectable()
export class AccountGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ user: Principal | Account }>();
    if ('username' in request.user) request.user = { id: 7, email: request.user.username };
    return true;
  }
}

@Controller('account')
export class AccountController {
  @UseGuards(AccountGuard)
  @Scopes('tme_user') // runs first, because decorators are applied from the bottom up
  @Get()
  read(@CurrentUser() caller: Principal, @Req() { user }: { user: Account }) {
    return { username: caller.username, account: user.id };
  }
}
