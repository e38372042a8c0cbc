import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

/** Both platforms of Nest: rules of the edge are tested on each. */
export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

export interface RunningApp extends AsyncDisposable {
  readonly app: INestApplication;
  /** Such as http://127.0.0.1:41234 */
  readonly url: string;
  /** A request over a real socket. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

/** Builds an app of these parts and listens on a free port of loopback. */
export async function startApp(
  platform: Platform,
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => void = () => undefined,
  { trustProxy = false }: { readonly trustProxy?: boolean } = {},
): Promise<RunningApp> {
  const testing = await Test.createTestingModule(metadata).compile();
  testing.useLogger(false);
  const app = testing.createNestApplication(
    platform === 'express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy }),
  );
  if (platform === 'express') (app as NestExpressApplication).set('trust proxy', trustProxy);
  configure(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const stop = async (): Promise<void> => app.close();
  return { app, url, fetch: (path, init) => fetch(url + path, init), stop, [Symbol.asyncDispose]: stop };
}

/** `Authorization: Basic …` */
export function basic(username: string, secretKey: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

/** `Authorization: Bearer …` */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
