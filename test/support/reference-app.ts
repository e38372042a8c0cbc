import { Logger } from '@nestjs/common';
import { createApp } from '../../src/app.js';
import { setEnvironment } from './environment.js';
import type { Platform, RunningApp } from './start-app.js';

type StatusOptions = Parameters<typeof createApp>[1];

const VARIABLES = ['USERNAME', 'SECRET_KEY', 'BASE_URL', 'DIALECT', 'ALLOW_INSECURE_HOSTS', 'REDIS_URL'];

/** Starts the reference app in this process on a port of loopback (0: a free one), with only these `XPAY_` variables. */
export async function startReferenceApp(
  platform: Platform,
  variables: Readonly<Record<string, string>>,
  trustProxy?: string,
  docs = true,
  status?: StatusOptions,
  port = 0,
): Promise<RunningApp> {
  const restore = setEnvironment({
    // An empty variable counts as unset, and takes precedence over a `.env` of the user.
    ...Object.fromEntries(VARIABLES.map((name) => [`XPAY_${name}`, ''])),
    ...variables,
  });
  Logger.overrideLogger(false);
  try {
    const app = await createApp({ platform, trustProxy, docs }, status);
    await app.listen(port, '127.0.0.1');
    const url = await app.getUrl();
    const stop = async (): Promise<void> => app.close();
    return { app, url, fetch: (path, init) => fetch(url + path, init), stop, [Symbol.asyncDispose]: stop };
  } finally {
    restore();
  }
}
