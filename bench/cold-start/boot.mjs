// Starts an empty Nest app in a fresh process, with or without the library: `boot.mjs <platform> <with|without>`.
import 'reflect-metadata';
import { answer } from '../machine/child.mjs';

const [platform, library] = process.argv.slice(2);
const { Module } = await import('@nestjs/common');
const { NestFactory } = await import('@nestjs/core');
const adapter = await adapterOf(platform);

const importing = performance.now();
const imports = [];
if (library === 'with') {
  const { XPayAuthModule } = await import('nestjs-xpay-auth');
  imports.push(XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1' }));
}
const booting = performance.now();
class AppModule {}
Module({ imports })(AppModule);
const app = await NestFactory.create(AppModule, adapter, { logger: false });
await app.listen(0, '127.0.0.1');
const ready = performance.now();

answer({ importMs: booting - importing, bootMs: ready - booting, sinceStartMs: ready, rss: process.memoryUsage().rss });

async function adapterOf(name) {
  if (name === 'fastify') return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  return new (await import('@nestjs/platform-express')).ExpressAdapter();
}
