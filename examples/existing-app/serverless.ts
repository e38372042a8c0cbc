// serverless.ts
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';

/** The app of this process. The host keeps the process, with its memory, between invocations. */
let booting: Promise<NestFastifyApplication> | undefined;

async function boot(): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
  return app.init();
}

export async function handler(event: { path: string; headers: Record<string, string> }) {
  const app = await (booting ??= boot());
  const { statusCode, headers, body } = await app.inject({ url: event.path, headers: event.headers });
  return { statusCode, headers, body };
}

/** Call it where the host announces the end of the process. */
export async function close(): Promise<void> {
  await (await booting)?.close();
}
