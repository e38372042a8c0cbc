import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import type { Settings } from './settings.js';
import { withoutSubPath } from './verify/sub-path.js';

type App = NestExpressApplication | NestFastifyApplication;

/** The app on the platform of choice, ready to listen. */
export function createApp({ platform }: Pick<Settings, 'platform'>): Promise<App> {
  return platform === 'express' ? createExpressApp() : createFastifyApp();
}

async function createExpressApp(): Promise<App> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, new ExpressAdapter());
  app.use((request: { url: string }, _response: unknown, next: () => void) => {
    request.url = withoutSubPath(request.url);
    next();
  });
  return app;
}

async function createFastifyApp(): Promise<App> {
  const adapter = new FastifyAdapter({ rewriteUrl: ({ url = '/' }) => withoutSubPath(url) });
  // A proxy asks with the headers of the request it asks about, Content-Type included, but without its body. Fastify would
  // refuse that before any guard has seen the request.
  adapter.getInstance().addHook('onRequest', (request, _reply, done) => {
    if (/^\/verify(?:\?|$)/.test(request.url)) delete request.headers['content-type'];
    done();
  });
  return NestFactory.create<NestFastifyApplication>(AppModule, adapter);
}
