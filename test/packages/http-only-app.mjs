// An HTTP app whose library cannot load the packages of the other contexts, as if they were not installed.
import 'reflect-metadata';
import { register } from 'node:module';

const hooks = `
  const optional = /^(graphql|@nestjs\\/(graphql|websockets|microservices))(\\/|$)/;
  export async function resolve(specifier, context, next) {
    if (optional.test(specifier) && context.parentURL?.includes('/xpay-auth/dist/')) throw new Error('asked for ' + specifier);
    return next(specifier, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { Controller, Get, Module } = await import('@nestjs/common');
const { NestFactory } = await import('@nestjs/core');
const { Authenticated, Public, Scopes, XPayAuthError, XPayAuthGuard, XPayAuthModule } =
  await import('nestjs-xpay-auth');
const { startXPayEmulator } = await import('nestjs-xpay-auth/testing');

const ada = { username: 'ada@example.test', secretKey: 'ada-key' };
const xpay = await startXPayEmulator({ accounts: [ada] });

class Routes {
  me() {
    return 'me';
  }
  admin() {
    return 'admin';
  }
  outbound() {
    throw new XPayAuthError('upstream_timeout', 'no answer');
  }
}
for (const [name, mark] of [
  ['me', Authenticated()],
  ['admin', Scopes('tme_admin')],
  ['outbound', Public()],
]) {
  const descriptor = Object.getOwnPropertyDescriptor(Routes.prototype, name);
  Get(name)(Routes.prototype, name, descriptor);
  mark(Routes.prototype, name, descriptor);
}
Controller()(Routes);
class App {}
Module({ imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url })], controllers: [Routes] })(App);

const app = await NestFactory.create(App, { logger: false });
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const authorization = `Basic ${Buffer.from(`${ada.username}:${ada.secretKey}`).toString('base64')}`;
const statuses = [];
for (const { path, headers = {} } of [
  { path: 'me', headers: { authorization } },
  { path: 'me' },
  { path: 'admin', headers: { authorization } },
  { path: 'outbound' },
]) {
  statuses.push((await fetch(`${url}/${path}`, { headers })).status);
}
process.stdout.write(`statuses ${statuses.join(' ')}\n`);

// The opposite case: a rejection over a socket needs its package, and authenticates no caller without it.
const context = {
  getType: () => 'ws',
  getArgs: () => [],
  getClass: () => Routes,
  getHandler: () => Object.getOwnPropertyDescriptor(Routes.prototype, 'me')?.value,
  switchToWs: () => ({ getClient: () => ({}) }),
};
const refusal = await Promise.resolve(app.get(XPayAuthGuard).canActivate(context)).catch((thrown) => thrown.message);
process.stdout.write(`socket ${refusal}\n`);
await app.close();
await xpay.stop();
