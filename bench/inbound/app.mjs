// A minimal Nest app with one route and the decorators of a variant. It uses no decorator syntax, so no build is needed.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** Applies decorators to a method, the last one first, as TypeScript does. */
export function decorate(type, method, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  for (const decorator of decorators.toReversed()) decorator(type.prototype, method, descriptor);
}

/** Creates an app on the platform. The app does not listen yet. `setUp` is called with the app before its initialisation. */
export async function createApp(platform, { imports = [], providers = [], marks = [], setUp } = {}) {
  class HelloController {
    hello() {
      return { hello: 'world' };
    }
  }
  decorate(HelloController, 'hello', Get('hello'), ...marks);
  Controller()(HelloController);
  class AppModule {}
  Module({ imports, providers, controllers: [HelloController] })(AppModule);

  const app = await NestFactory.create(AppModule, await adapterOf(platform), { logger: ['error'] });
  await setUp?.(app);
  return app;
}

async function adapterOf(platform) {
  if (platform === 'fastify') return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  return new (await import('@nestjs/platform-express')).ExpressAdapter();
}
