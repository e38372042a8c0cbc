// The undici transport of the packed library sends a login with the installed version of undici.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XPayAuthModule, XPayTokenService } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { undiciTransport } from 'nestjs-xpay-auth/undici';

const credentials = { username: 'app@example.test', secretKey: 'app-key' };
const xpay = await startXPayEmulator({ accounts: [credentials] });
class AppModule {}
Module({
  imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials, http: { transport: undiciTransport() } })],
})(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
assert.ok((await app.get(XPayTokenService).getToken()).value);
assert.equal(xpay.ledger[0]?.headers['user-agent'], 'undici');
await app.close();
await xpay.stop();
console.log('The undici transport works.');
