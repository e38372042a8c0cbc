// Measures the memory of this process for a number of idle accounts: `accounts.mjs <accounts> <maxEntries>`, with --expose-gc.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AccessToken, XPayAuthModule, XPayTokenService } from 'nestjs-xpay-auth';
import { answer } from '../machine/child.mjs';
import { held } from './held.mjs';
import { instantDialect } from './instant-dialect.mjs';

const [accounts, maxEntries] = process.argv.slice(2).map(Number);

// An app with few accounts is used first, so that all code is loaded and compiled before the first measurement.
const warm = await tokensOf(10);
for (let i = 0; i < 2_000; i++) await warm.forAccount(idOf(i)).getToken();

// The memory of an app without accounts is subtracted.
const start = await held();
await tokensOf(10);
const appBytes = (await held()) - start;

const before = await held();
const tokens = await tokensOf(maxEntries);
for (let i = 0; i < accounts; i++) await tokens.forAccount(idOf(i)).getToken();
const bytes = (await held()) - before - appBytes;

let remembered = 0;
while (remembered < accounts && tokens.forAccount(idOf(accounts - 1 - remembered)).peek() !== undefined) remembered++;
answer({ bytes, remembered });

async function tokensOf(entries) {
  const dialect = { ...instantDialect, authenticate };
  class AppModule {}
  Module({
    imports: [XPayAuthModule.forRoot({ dialect, accounts: { credentials, maxEntries: entries } })],
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  return app.get(XPayTokenService);
}

function credentials(id) {
  return { username: `${id}@example.test`, secretKey: `key-of-${id}` };
}

/** Issues tokens of a length that is usual for a JWT. */
async function authenticate({ username }) {
  const accessToken = new AccessToken(Buffer.alloc(192, username).toString('base64url'));
  return { accessToken, username, scopes: [], isAPI: true, lifeMs: 86_400_000 };
}

function idOf(i) {
  return `merchant-${String(i).padStart(6, '0')}`;
}
