// One instance of the chaos test, which uses the built library: the reference app with its environment variables, and a second
// instance of the module, `merchants`, for accounts that are known only at run time.
import 'reflect-metadata';
import { Controller, Delete, Get, HttpCode, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { InjectXPay, Scopes, XPayAuthModule, XPayHttpService, XPaySessionService } from 'nestjs-xpay-auth';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { AppModule } from '../../dist/app.module.js';
import { asPlainGet } from '../../dist/verify/forwarded-request.js';

const { PORT, XPAY_BASE_URL, XPAY_REDIS_URL, XPAY_ENCRYPTION_KEYS, VAULT_URL, MAX_ACCOUNTS } = process.env;

/** Reads the credentials of a merchant as they are now. */
async function credentials(id) {
  const answer = await fetch(`${VAULT_URL}/${encodeURIComponent(id)}`);
  return answer.status === 404 ? undefined : answer.json();
}

class ChaosController {
  #merchants;
  #sessions;

  constructor(merchants, sessions) {
    this.#merchants = merchants;
    this.#sessions = sessions;
  }

  wallets(id) {
    return this.#merchants.forAccount(id).post('/client/wallets/find', { page: 1 });
  }

  logoutEverywhere(username) {
    return this.#sessions.revokeUser(username);
  }
}
Controller()(ChaosController);
InjectXPay(XPayHttpService, 'merchants')(ChaosController, undefined, 0);
InjectXPay(XPaySessionService)(ChaosController, undefined, 1);
decorate('wallets', Get('merchants/:id/wallets'), Scopes('tme_admin'));
decorate('logoutEverywhere', Delete('sessions/:id'), Scopes('tme_admin'), HttpCode(204));

/** Decorates a method whose only parameter is the id in the path. */
function decorate(method, ...decorators) {
  const { prototype } = ChaosController;
  Param('id')(prototype, method, 0);
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
  for (const decorator of decorators) decorator(prototype, method, descriptor);
}

class ChaosModule {}
Module({
  imports: [
    AppModule,
    XPayAuthModule.forRoot({
      name: 'merchants',
      baseUrl: XPAY_BASE_URL,
      accounts: { credentials, maxEntries: Number(MAX_ACCOUNTS) },
      store: redisStore({ url: XPAY_REDIS_URL, encryptionKeys: XPAY_ENCRYPTION_KEYS }),
    }),
  ],
  controllers: [ChaosController],
})(ChaosModule);

const adapter = new FastifyAdapter({ trustProxy: 'loopback', rewriteUrl: asPlainGet });
const app = await NestFactory.create(ChaosModule, adapter);
app.enableShutdownHooks();
await app.listen(Number(PORT), '127.0.0.1');
console.log('Listening');
