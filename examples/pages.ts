// A list of the upstream is read page by page: a loop over its items, however many pages there are.
import { Controller, Get } from '@nestjs/common';
import { Scopes, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { appWith, serve } from './app.js';

interface Wallet {
  readonly tag: string;
}

@Controller('tags')
export class TagsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Scopes('tme_admin')
  @Get()
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    for await (const { tag } of this.xpay.pages<Wallet>('/client/wallets/find', { pageSize: 2 }, { maxPages: 100 })) {
      tags.push(tag);
    }
    return tags;
  }

  @Scopes('tme_admin')
  @Get('more')
  async more(): Promise<boolean> {
    // The fields beside the data: at xPay.stream, whether another page follows.
    const request = { path: '/client/wallets/find', body: { page: 1, pageSize: 2 } };
    const { meta } = await this.xpay.request<Wallet[], { nextPage?: boolean }>(request);
    return meta.nextPage === true;
  }
}

await serve(appWith([XPayAuthModule.forRoot()], TagsController));
