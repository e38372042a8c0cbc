// Two upstreams: xPay.stream for most routes, gift-stream for routes with `@UseXPay('gift')`.
import { Controller, Get } from '@nestjs/common';
import {
  CurrentUser,
  InjectXPay,
  type Principal,
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  giftStream,
} from 'nestjs-xpay-auth';
import { appWith, serve } from './app.js';

@UseXPay('gift') // callers with a gift-stream account, checked at gift-stream
@Controller('gifts')
class GiftsController {
  constructor(@InjectXPay(XPayHttpService, 'gift') private readonly giftStream: XPayHttpService) {}

  @Scopes('gifts:sell')
  @Get('sites')
  async sites(@CurrentUser() { instance }: Principal): Promise<object> {
    const { data } = await this.giftStream.request({ method: 'GET', path: '/sites' }); // with the app's gift-stream token
    return { instance, sites: data };
  }
}

await serve(
  appWith(
    [
      XPayAuthModule.forRoot(), // XPAY_USERNAME …
      XPayAuthModule.forRoot({ name: 'gift', dialect: giftStream({ scopes: ['gifts:sell'] }), envPrefix: 'GIFT_' }),
    ],
    GiftsController,
  ),
);
