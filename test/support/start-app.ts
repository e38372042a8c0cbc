import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

/** Both platforms of Nest. HTTP behaviour is tested on each. */
export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

export interface RunningApp extends AsyncDisposable {
  readonly app: INestApplication;
  /** Such as http://127.0.0.1:41234 */
  readonly url: string;
  /** Sends a request over a real socket. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

/** Replaces the default adapter, its options, or the address to listen on. */
export interface Serving {
  readonly adapter?: AbstractHttpAdapter;
  readonly options?: NestApplicationOptions;
  /** Path of a Unix socket to listen on, instead of a free port of loopback. */
  readonly path?: string;
  /** Whether the app trusts `X-Forwarded-For`. A custom adapter has its own setting. @default false */
  readonly trustProxy?: boolean;
}

/** Builds an app from these parts and listens on a free port of loopback. */
export async function startApp(
  platform: Platform,
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => void = () => undefined,
  { adapter, options = {}, path, trustProxy = false }: Serving = {},
): Promise<RunningApp> {
  const testing = await Test.createTestingModule(metadata).compile();
  testing.useLogger(false);
  const app = testing.createNestApplication(
    adapter ?? (platform === 'express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy })),
    options,
  );
  if (platform === 'express' && adapter === undefined) (app as NestExpressApplication).set('trust proxy', trustProxy);
  configure(app);
  if (path === undefined) await app.listen(0, '127.0.0.1');
  else await app.listen(path);
  const url = await app.getUrl();
  const stop = async (): Promise<void> => app.close();
  return { app, url, fetch: (path, init) => fetch(url + path, init), stop, [Symbol.asyncDispose]: stop };
}

/** Returns the header `Authorization: Basic …`. */
export function basic(username: string, secretKey: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

/** Returns the header `Authorization: Bearer …`. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
