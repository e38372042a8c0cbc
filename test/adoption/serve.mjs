// Serves the AppModule of a compiled example: `node serve.mjs FILE PLATFORM`. Jest cannot load @nestjs/throttler, which requires
// the ES modules of Nest.
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

const [, , file, platform] = process.argv;
const { AppModule } = await import(file);
const app = await NestFactory.create(AppModule, platform === 'express' ? new ExpressAdapter() : new FastifyAdapter());
await app.listen(0, '127.0.0.1');
console.log(`Listening on ${await app.getUrl()}`);
