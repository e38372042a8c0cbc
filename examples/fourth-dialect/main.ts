import 'reflect-metadata';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CurrentUser, type Principal, Public, Scopes, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { harbour } from './harbour.dialect.js';
import { startStandIn } from './stand-in.js';

// An app that uses the fourth dialect, with a test upstream in the same process. docs/dialects.md explains how to run it.

const app = { username: 'the-app', secretKey: 'only for this example', piers: '' };
const mo = { username: 'mo', secretKey: 'ahoy', piers: 'north' };
const standIn = await startStandIn([app, mo]);

@Controller()
class PierController {
  constructor(@Inject(XPayHttpService) private readonly upstream: XPayHttpService) {}

  @Scopes('north')
  @Get('north')
  north(@CurrentUser() { username, scopes }: Principal) {
    return { pier: 'north', username, scopes };
  }

  @Public()
  @Get('berths')
  async berths() {
    return (await this.upstream.request({ method: 'GET', path: '/berths' })).data;
  }
}

@Module({
  imports: [
    XPayAuthModule.forRoot({
      dialect: harbour(),
      baseUrl: standIn.url,
      credentials: { username: app.username, secretKey: app.secretKey },
    }),
  ],
  controllers: [PierController],
})
class AppModule {}

const nest = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await nest.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
const url = await nest.getUrl();
process.stdout.write(`200  curl -i -u mo:ahoy ${url}/north\n401  curl -i ${url}/north\n200  curl -i ${url}/berths\n`);
