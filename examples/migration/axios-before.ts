// before: xpay.client.ts
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import axios from 'axios';

@Injectable()
export class XPayClient {
  readonly #axios = axios.create({ baseURL: process.env['XPAY_BASE_URL'] ?? 'https://apis.xpay.stream' });
  #token = { value: '', expiresAt: 0 };

  constructor() {
    this.#axios.interceptors.request.use(async (config) => {
      config.headers.set('Authorization', `Bearer ${await this.#getToken()}`);
      return config;
    });
  }

  async post(path: string, body: object): Promise<unknown> {
    const { data } = await this.#axios.post<{ success: { data: unknown } }>(path, body);
    return data.success.data;
  }

  async #getToken(): Promise<string> {
    if (Date.now() >= this.#token.expiresAt) {
      const account = {
        username: process.env['XPAY_USERNAME'],
        secretKey: process.env['XPAY_SECRET_KEY'],
        isAPI: true,
      };
      const url = `${this.#axios.defaults.baseURL}/client/authenticate`;
      const { data } = await axios.post<{ success: { data: { access_token: string; expiresAt: number } } }>(
        url,
        account,
      );
      const { access_token: value, expiresAt } = data.success.data;
      this.#token = { value, expiresAt };
    }
    return this.#token.value;
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

@Module({ controllers: [WalletsController], providers: [XPayClient] })
export class AppModule {}
