// The tests of the same app under jest and ts-jest in CommonJS, with the settings in docs/testing.md.
import 'reflect-metadata';
import { expect, test } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XPayAuthModule, XPayTokenService } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

test('an app of Nest 11 is tested by jest in CommonJS', async () => {
  const credentials = { username: 'app@example.test', secretKey: 'app-key' };
  const xpay = await startXPayEmulator({ accounts: [credentials] });

  @Module({ imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials })] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const token = await app.get(XPayTokenService).getToken();
  expect(xpay.isLive(token.value)).toBe(true);
  await app.close();
  await xpay.stop();
});
