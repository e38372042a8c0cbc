// Runs the program of 0.1.0's README against emulators, with the variables that the README names.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { NestFactory } from '@nestjs/core';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

const app = { username: 'app@example.test', secretKey: 'app-key', scopes: ['tme_user'] };
const user = { username: 'user@example.test', secretKey: 'user-key', scopes: ['tme_user'] };
const admin = { username: 'admin@example.test', secretKey: 'admin-key', scopes: ['tme_admin'] };

const xpay = await startXPayEmulator({ accounts: [app, user, admin] });
Object.assign(process.env, { XPAY_BASE_URL: xpay.url, XPAY_USERNAME: app.username, XPAY_SECRET_KEY: app.secretKey });

// Imported after the variables are set, as with the `.env` of an app.
const { AppModule } = await import('./app.module.js');
const nest = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await nest.listen(0, '127.0.0.1');
const url = await nest.getUrl();

const get = (path: string, { username, secretKey } = app) =>
  fetch(`${url}${path}`, {
    headers: { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` },
  });

const me = await get('/me', user);
assert.equal(me.status, 200);
assert.deepEqual(await me.json(), { username: user.username, scopes: user.scopes });
assert.equal((await fetch(`${url}/me`)).status, 401);
assert.equal((await get('/me', { ...user, secretKey: 'wrong' })).status, 401);
assert.equal((await get('/wallets', user)).status, 403);
assert.equal((await get('/wallets', admin)).status, 200);

await nest.close();
await xpay.stop();
console.log("The program of 0.1.0's README runs.");
