// Acts as the caller: xPay receives the token of the caller, so each caller sees only the wallets of the own account.
import { Controller, Get } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { appWith, serve } from './app.js';

interface Wallet {
  readonly tag: string;
  readonly username: string;
}

@Controller('own')
export class OwnWalletsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Scopes('tme_user')
  @Get('wallets')
  wallets(@CurrentUser() caller: Principal): Promise<Wallet[]> {
    return this.xpay.asCaller(caller).post<Wallet[]>('/client/wallets/find', { page: 1, pageSize: 10 });
  }
}

await serve(
  appWith(
    [
      XPayAuthModule.forRoot({
        verification: { keepUpstreamToken: true }, // for callers who send Basic credentials
        session: { keepUpstreamToken: true }, // for callers who log in at POST /login and send the bearer token
      }),
    ],
    OwnWalletsController,
  ),
);
