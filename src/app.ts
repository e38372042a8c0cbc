import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { IncomingMessage } from 'node:http';
import { AppModule } from './app.module.js';
import { serveDocs } from './docs/serve-docs.js';
import type { Settings } from './settings.js';
import { StatusModule, type StatusOptions } from './status/status.module.js';
import { asPlainGet } from './verify/forwarded-request.js';

type App = NestExpressApplication | NestFastifyApplication;

type Root = Type | DynamicModule;

/** Creates the app on the configured platform, ready to listen. Without `status`, it has no `/status`. */
export async function createApp(
  { platform, trustProxy, docs }: Pick<Settings, 'platform' | 'trustProxy' | 'docs'>,
  status?: StatusOptions,
): Promise<App> {
  const root = status === undefined ? AppModule : { module: AppModule, imports: [StatusModule.forRoot(status)] };
  const app = await (platform === 'express' ? createExpressApp(root, trustProxy) : createFastifyApp(root, trustProxy));
  if (docs) serveDocs(app);
  return app;
}

async function createExpressApp(root: Root, trustProxy: Settings['trustProxy']): Promise<App> {
  const app = await NestFactory.create<NestExpressApplication>(root, new ExpressAdapter());
  if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
  app.use((request: IncomingMessage, _response: unknown, next: () => void) => {
    request.url = asPlainGet(request);
    next();
  });
  return app;
}

async function createFastifyApp(root: Root, trustProxy: Settings['trustProxy']): Promise<App> {
  const adapter = new FastifyAdapter({
    ...(trustProxy !== undefined && { trustProxy }),
    rewriteUrl: asPlainGet,
  });
  return NestFactory.create<NestFastifyApplication>(root, adapter);
}
