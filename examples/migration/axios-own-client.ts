// after: xpay.client.ts keeps its axios instance
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import axios from 'axios';
import { XPayAuthModule, XPayTokenService, attachXPayBearer } from 'nestjs-xpay-auth';

@Injectable()
export class XPayClient {
  readonly #axios = axios.create({ baseURL: process.env['XPAY_BASE_URL'] ?? 'https://apis.xpay.stream' });

  constructor(tokens: XPayTokenService) {
    attachXPayBearer(this.#axios, tokens); // in place of the cache and the interceptor
  }

  async post(path: string, body: object): Promise<unknown> {
    const { data } = await this.#axios.post<{ success: { data: unknown } }>(path, body);
    return data.success.data;
  }
}

@Controller()
export class WalletsController {
  constructor(private readonly xpay: XPayClient) {}

  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find', { page: 1 });
  }
}

@Module({ imports: [XPayAuthModule.forRoot()], controllers: [WalletsController], providers: [XPayClient] })
export class AppModule {}
