import { ConfigModule } from '@nestjs/config';

/** What the environment says of the app itself. What it says of xPay is read by `XPayAuthModule.forRoot()`. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly platform: 'fastify' | 'express';
  /** Which proxies in front are believed about the client's address, such as `loopback, 10.0.0.0/8`; none by default. */
  readonly trustProxy: string | undefined;
  /** `/docs` is there. It shows what any caller could find out by asking, so it is on in production too. */
  readonly docs: boolean;
  /** Where `/metrics` listens: `METRICS_HOST` (127.0.0.1) and `METRICS_PORT`; `undefined` without a port. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
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
  const port = portFrom('PORT', env['PORT'] || '3000');
  const platform = env['PLATFORM'] || 'fastify';
  if (platform !== 'fastify' && platform !== 'express') {
    throw new Error(`PLATFORM: ${platform} is neither "fastify" nor "express"`);
  }
  const docs = env['DOCS'] || 'on';
  if (docs !== 'on' && docs !== 'off') throw new Error(`DOCS: ${docs} is neither "on" nor "off"`);
  assertKnown(env);
  const configured = ['XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL', 'XPAY_REDIS_URL'].some((name) => env[name]);
  if (!configured && /^prod/i.test(env['NODE_ENV'] ?? '')) {
    throw new Error(
      'NODE_ENV is production and nothing is configured. Set XPAY_USERNAME and XPAY_SECRET_KEY; ' +
        'or XPAY_BASE_URL alone, to verify callers without an account of your own.',
    );
  }
  const demo = !configured;
  const trustProxy = trustedProxies(env['TRUST_PROXY']);
  const host = (!demo && env['HOST']) || '127.0.0.1';
  return { trustProxy, host, port, platform, docs: docs === 'on', demo, metrics: metricsFrom(env, demo) };
}

function metricsFrom(env: Environment, demo: boolean): Settings['metrics'] {
  if (!env['METRICS_PORT']) return undefined;
  const port = portFrom('METRICS_PORT', env['METRICS_PORT']);
  // The exporter takes 0 for its own default and not for any free port.
  if (port === 0) throw new Error('METRICS_PORT: 0 is no port for metrics; name one');
  return { host: (!demo && env['METRICS_HOST']) || '127.0.0.1', port };
}

function portFrom(name: string, value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw new Error(`${name}: ${value} is no port`);
  return Number(value);
}

/** Names and addresses, the one way of saying it that both platforms understand; to trust everybody is to trust nobody. */
function trustedProxies(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^(?:true|false|\*|\d+)$/i.test(value)) {
    throw new Error(`TRUST_PROXY: ${value} is no list of addresses, such as "loopback, 10.0.0.0/8"`);
  }
  return value;
}

const VARIABLES = [
  'XPAY_USERNAME',
  'XPAY_SECRET_KEY',
  'XPAY_BASE_URL',
  'XPAY_DIALECT',
  'XPAY_ALLOW_INSECURE_HOSTS',
  'XPAY_VERIFICATION_PERIOD_MS',
  'XPAY_SESSION_PERIOD_MS',
  'XPAY_REDIS_URL',
  'XPAY_ENCRYPTION_KEYS',
];

/** A misspelt variable must not end in demo mode, nor in a default nobody wanted. */
function assertKnown(env: Environment): void {
  const unknown = Object.keys(env).find((name) => name.startsWith('XPAY_') && !VARIABLES.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown}: no such variable. There are ${VARIABLES.join(', ')}.`);
}
