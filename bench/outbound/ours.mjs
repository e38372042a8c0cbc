// This library's token service, with a dialect for the common endpoint.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AccessToken, XPayAuthModule, XPayTokenService } from 'nestjs-xpay-auth';

const endpointDialect = {
  name: 'endpoint',
  async authenticate({ username }, upstream) {
    const { text } = await upstream.send({ method: 'POST', path: '/token', body: 'grant_type=client_credentials' });
    const { access_token: value, expires_in: life } = JSON.parse(text);
    return { accessToken: new AccessToken(value), username, scopes: [], isAPI: true, lifeMs: life * 1_000 };
  },
  api: { encode: () => ({ method: 'POST', path: '/' }), decode: () => ({ kind: 'data', data: null }) },
};

/** The time of this machine. The monotonic clock can be moved forward, because a step of `Date` alone does not age a token. */
function movableClock() {
  let aheadMs = 0;
  const clock = {
    now: () => Date.now(),
    monotonic: () => performance.now() + aheadMs,
    setTimer(callback, delayMs) {
      const timer = setTimeout(() => callback(), Math.min(delayMs, 2 ** 31 - 1)).unref();
      return () => clearTimeout(timer);
    },
  };
  return { clock, forward: (ms) => void (aheadMs += ms) };
}

export async function createTokens({ endpoint, redis, movable = false }) {
  const credentials = { username: 'bench@example.test', secretKey: 'bench-secret' };
  const options = { dialect: endpointDialect, baseUrl: endpoint, credentials };
  if (redis !== undefined) {
    const { redisStore } = await import('nestjs-xpay-auth/redis');
    options.store = redisStore({ url: redis, encryptionKeys: process.env.BENCH_STORE_KEYS });
  }
  const { clock, forward } = movableClock();
  if (movable) options.clock = clock;
  class AppModule {}
  Module({ imports: [XPayAuthModule.forRoot(options)] })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  const tokens = app.get(XPayTokenService);
  return { get: () => tokens.getToken(), peek: () => tokens.peek(), forward };
}
