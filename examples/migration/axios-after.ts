// after: xpay.client.ts is deleted
import { Controller, Get, Module } from '@nestjs/common';
import { XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';

@Controller()
export class WalletsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find', { page: 1 });
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [WalletsController] })
export class AppModule {}
