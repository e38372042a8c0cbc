// An app in plain JavaScript, written from the README: no decorator syntax, no build. Decorators are functions.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { UseGuards } from '@nestjs/common';
import {
  AnyScope,
  Authenticated,
  CurrentUser,
  InjectXPay,
  OptionalAuth,
  Public,
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  XPayTokenService,
  getXPayInjectionToken,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

const decorate = (type, method, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  for (const decorator of decorators.toReversed()) decorator(type.prototype, method, descriptor);
};

class RoutesController {
  constructor(xpay, tokens, otherTokens, sessions) {
    Object.assign(this, { xpay, tokens, otherTokens, sessions });
  }
  user(caller) {
    return { caller: caller.username };
  }
  admin(caller) {
    return { caller: caller.username };
  }
  either(caller) {
    return { caller: caller.username };
  }
  me(caller) {
    return { caller: caller.username, instance: caller.instance };
  }
  maybe(caller) {
    return { caller: caller?.username ?? 'nobody' };
  }
  open() {
    return { open: true };
  }
  other(caller) {
    return { instance: caller.instance };
  }
  passport() {
    return { passport: true };
  }
  async wallets() {
    return { wallets: await this.xpay.post('/client/wallets/find'), state: this.tokens.status().state };
  }
}
for (const [i, token] of [XPayHttpService, XPayTokenService].entries()) Inject(token)(RoutesController, undefined, i);
InjectXPay(XPayTokenService, 'other')(RoutesController, undefined, 2);
Inject(XPaySessionService)(RoutesController, undefined, 3);
for (const method of ['user', 'admin', 'either', 'me', 'maybe', 'other'])
  CurrentUser()(RoutesController.prototype, method, 0);
decorate(RoutesController, 'user', Get('user'), Scopes('tme_user'));
decorate(RoutesController, 'admin', Get('admin'), Scopes('tme_admin'));
decorate(RoutesController, 'either', Get('either'), AnyScope('tme_user', 'tme_admin'));
decorate(RoutesController, 'me', Get('me'), Authenticated());
decorate(RoutesController, 'maybe', Get('maybe'), OptionalAuth());
decorate(RoutesController, 'open', Get('open'), Public());
decorate(RoutesController, 'other', Get('other'), Authenticated(), UseXPay('other'));
decorate(RoutesController, 'passport', Get('passport'), Public(), UseGuards(AuthGuard('xpay')));
decorate(RoutesController, 'wallets', Get('wallets'), Scopes('tme_user'));
Controller()(RoutesController);

const user = { username: 'user@example.test', secretKey: 'user-key' };
const admin = { username: 'admin@example.test', secretKey: 'admin-key', scopes: ['tme_admin'] };
const emulator = await startXPayEmulator({ accounts: [user, admin] });
const other = await startXPayEmulator({ accounts: [user] });
process.env.XPAY_BASE_URL = emulator.url;
process.env.XPAY_USERNAME = user.username;
process.env.XPAY_SECRET_KEY = user.secretKey;

class AppModule {}
Module({
  imports: [
    XPayAuthModule.forRoot({ globalGuards: true }),
    XPayAuthModule.forRootAsync({ name: 'other', useFactory: () => ({ baseUrl: other.url, credentials: user }) }),
  ],
  controllers: [RoutesController],
})(AppModule);

const platform = process.argv[2] ?? 'express';
const adapter =
  platform === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();
const app = await NestFactory.create(AppModule, adapter, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const call = async (path, authorization) => {
  const response = await fetch(url + path, { headers: authorization ? { authorization } : {} });
  return { status: response.status, body: await response.json(), challenge: response.headers.get('www-authenticate') };
};
const basic = ({ username, secretKey }) => `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;

assert.equal((await call('/user', basic(user))).status, 200);
const denied = await call('/admin', basic(user));
assert.deepEqual([denied.status, denied.body.errorCode], [403, 'insufficient_scope']);
assert.equal(denied.challenge, 'Bearer error="insufficient_scope", scope="tme_admin"');
assert.equal((await call('/admin', basic(admin))).status, 200);
assert.equal((await call('/either', basic(admin))).status, 200);
assert.equal((await call('/me')).status, 401);
assert.match((await call('/me')).challenge, /^Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"$/);
assert.deepEqual((await call('/maybe')).body, { caller: 'nobody' });
assert.deepEqual((await call('/maybe', basic(user))).body, { caller: user.username });
assert.equal((await call('/open')).status, 200);
assert.deepEqual((await call('/other', basic(user))).body, { instance: 'other' });
assert.equal((await call('/passport', basic(user))).status, 200);
assert.equal((await call('/passport')).status, 401);
const wallets = await call('/wallets', basic(user));
assert.deepEqual([wallets.status, wallets.body.state, Array.isArray(wallets.body.wallets)], [200, 'fresh', true]);

const sessions = app.get(XPaySessionService);
const session = await sessions.login(user);
assert.equal((await call('/me', `Bearer ${session.accessToken}`)).status, 200);
await sessions.logout(session.accessToken);
assert.equal((await call('/me', `Bearer ${session.accessToken}`)).status, 401);
assert.match(await app.get(getXPayInjectionToken(XPayTokenService, 'other')).authorizationHeader(), /^Bearer ey/);

await app.close();
await Promise.all([emulator.stop(), other.stop()]);
console.log(`plain app on ${platform}, Node ${process.version}: ok`);
