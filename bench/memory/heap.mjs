// Measures the memory of this process for a number of callers: `heap.mjs <callers> <maxEntries> [keep]`, with --expose-gc.
// With `keep`, the token of each caller is kept (`verification.keepUpstreamToken`).
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XPayAuthModule, XPayStrategy } from 'nestjs-xpay-auth';
import { answer } from '../machine/child.mjs';
import { held } from './held.mjs';
import { instantDialect } from './instant-dialect.mjs';

const [callers, maxEntries] = process.argv.slice(2, 4).map(Number);
const keepUpstreamToken = process.argv[4] === 'keep';

// An app with few cached callers is used first, so that all code is loaded and compiled before the first measurement.
const warm = await strategyOf(10);
for (let i = 0; i < 2_000; i++) await warm.validate(requestOf(i));

// The memory of an app without cached callers is subtracted.
const start = await held();
await strategyOf(10);
const appBytes = (await held()) - start;

const before = await held();
const strategy = await strategyOf(maxEntries);
for (let i = 0; i < callers; i++) await strategy.validate(requestOf(i));
const bytes = (await held()) - before - appBytes;

// The lookups begin with the latest caller, because the lookup of an evicted caller evicts another one.
let remembered = 0;
while (remembered < callers && !(strategy.validate(requestOf(callers - 1 - remembered)) instanceof Promise))
  remembered++;
answer({ bytes, remembered });

async function strategyOf(entries) {
  const verification = { maxEntries: entries, periodMs: 300_000, maxConcurrent: 1_000, keepUpstreamToken };
  class AppModule {}
  Module({ imports: [XPayAuthModule.forRoot({ dialect: instantDialect, attempts: false, verification })] })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  return app.get(XPayStrategy);
}

function requestOf(i) {
  const name = `user-${String(i).padStart(6, '0')}@example.test`;
  const authorization = `Basic ${Buffer.from(`${name}:key-of-${name}`).toString('base64')}`;
  return { headers: { authorization }, rawHeaders: ['Authorization', authorization], socket: {} };
}
