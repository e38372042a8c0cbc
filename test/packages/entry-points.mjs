// Classes and injection tokens are the same objects in every entry point of the packed library. They have the names and the
// metadata of their sources, and stack traces name the sources.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Module } from '@nestjs/common';
import { ModuleRef, NestFactory } from '@nestjs/core';
process.setSourceMapsEnabled(true);
const [root, kit, dialect] = [
  await import('nestjs-xpay-auth'),
  await import('nestjs-xpay-auth/testing'),
  await import('nestjs-xpay-auth/dialect'),
].map((entry) => ({ ...entry }));
const { XPayAuthError, XPayAuthModule, XPayTokenService, XPayHttpService, getXPayInjectionToken } = root;
const credentials = { username: 'app@example.test', secretKey: 'app-key' };

// The testing entry point provides the services under the tokens of the root entry point.
class Injecting {}
Module({ imports: [kit.XPayAuthTestingModule.forRoot()] })(Injecting);
const tested = await NestFactory.createApplicationContext(Injecting, { logger: false, abortOnError: false });
assert.ok(tested.get(XPayTokenService) instanceof XPayTokenService);
assert.ok(tested.get(XPayHttpService) instanceof XPayHttpService);
await tested.close();

// A service throws the class that the root entry point exports.
const upstream = await kit.startXPayEmulator({ accounts: [] });
class Real {}
Module({
  imports: [
    XPayAuthModule.forRoot({ baseUrl: upstream.url, credentials }),
    XPayAuthModule.forRoot({ name: 'other', baseUrl: upstream.url, credentials }),
  ],
})(Real);
const real = await NestFactory.createApplicationContext(Real, { logger: false, abortOnError: false });
const failure = await real
  .get(XPayTokenService)
  .getToken()
  .catch((thrown) => thrown);
assert.ok(failure instanceof XPayAuthError, 'a failure is an XPayAuthError of the root entry point');
assert.equal(getXPayInjectionToken(XPayTokenService, 'other'), getXPayInjectionToken(XPayTokenService, 'other'));
assert.ok(
  real.get(ModuleRef).get(getXPayInjectionToken(XPayTokenService, 'other'), { strict: false }) instanceof
    XPayTokenService,
);
assert.match(failure.stack, /[\\/]src[\\/][\w\\/-]+\.ts:\d+/, 'the stack of a failure names the sources');
await real.close();
await upstream.stop();

// `redis`: if the optional peer ioredis is installed, the errors of the store are that class as well.
if (process.argv.includes('redis')) {
  const { redisStore } = await import('nestjs-xpay-auth/redis');
  assert.throws(() => redisStore({ url: 'redis://127.0.0.1', encryptionKeys: 'short' }), XPayAuthError);
}

// An export that the root and another entry point share is one object.
const shared = [kit, dialect].flatMap((entry) =>
  Object.keys(entry)
    .filter((name) => name in root)
    .map((name) => [name, entry]),
);
for (const [name, entry] of shared) assert.equal(entry[name], root[name], name);
assert.ok(
  shared.some(([, entry]) => entry === dialect),
  'the root still exports the helpers for dialects, until 0.3',
);

// `require` returns the same objects, because the CommonJS file of an entry point only loads the ES module.
const require = createRequire(import.meta.url);
for (const [name, entry] of Object.entries({ 'nestjs-xpay-auth': root, 'nestjs-xpay-auth/testing': kit })) {
  const required = require(name);
  for (const [exported, value] of Object.entries(entry)) assert.equal(required[exported], value, exported);
}

// Nest prints the names of classes, and injects by the types of constructor parameters.
for (const [name, value] of [root, kit].flatMap((entry) => Object.entries(entry))) {
  if (typeof value === 'function' && /^class\b/.test(String(value))) assert.equal(value.name, name);
}
assert.deepEqual(
  Reflect.getMetadata('design:paramtypes', root.XPayAuthGuard).map(({ name }) => name),
  ['AccessControl'],
);
console.log('The entry points share their classes and injection tokens.');
