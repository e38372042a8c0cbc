import { ConfigModule } from '@nestjs/config';

/** What the environment says of the app itself. What it says of xPay is read by `XPayAuthModule.forRoot()`. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly platform: 'fastify' | 'express';
  /** Nothing is configured: run against an emulator in this process. */
  readonly demo: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Waits for `.env`, which AppModule loads, and reads the environment. */
export async function readSettings(): Promise<Settings> {
  await import('./app.module.js');
  await ConfigModule.envVariablesLoaded;
  return settingsFrom(process.env);
}

/** A variable that is empty counts as unset. Throws, with the name of the variable, for what cannot be run. */
export function settingsFrom(env: Environment): Settings {
  const port = env['PORT'] || '3000';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`PORT: ${port} is no port`);
  const platform = env['PLATFORM'] || 'fastify';
  if (platform !== 'fastify' && platform !== 'express') {
    throw new Error(`PLATFORM: ${platform} is neither "fastify" nor "express"`);
  }
  const configured = ['XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL', 'XPAY_REDIS_URL'].some((name) => env[name]);
  if (!configured && env['NODE_ENV'] === 'production') {
    throw new Error(
      'NODE_ENV is production and nothing is configured. Set XPAY_USERNAME and XPAY_SECRET_KEY; ' +
        'or XPAY_BASE_URL alone, to verify callers without an account of your own.',
    );
  }
  const demo = !configured;
  return { host: (!demo && env['HOST']) || '127.0.0.1', port: Number(port), platform, demo };
}
