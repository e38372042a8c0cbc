import { ConfigModule } from '@nestjs/config';
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

/** The settings of the app itself, from the environment. `XPayAuthModule.forRoot()` reads the settings of the library. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly platform: 'fastify' | 'express';
  /** Proxies whose forwarding headers are trusted, such as `loopback, 10.0.0.0/8`. None by default. */
  readonly trustProxy: string | undefined;
  /**
   * Whether `/docs` is served. The default is the same in production, because `/docs` reveals only facts that callers could find
   * out by requests.
   */
  readonly docs: boolean;
  /** Whether `/status` is served. Its data need a caller with `tme_admin`, except in demo mode. */
  readonly status: boolean;
  /** Whether the emulator's accounts call the app from the start. Only in demo mode. */
  readonly traffic: boolean;
  /** Address of `/metrics`: `METRICS_HOST` (127.0.0.1) and `METRICS_PORT`. `undefined` without a port. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** Whether the app runs against an emulator in this process, because no account is configured. */
  readonly demo: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Waits for `.env`, which AppModule loads, and reads the environment and the command line. */
export async function readSettings(): Promise<Settings> {
  await import('./app.module.js');
  await ConfigModule.envVariablesLoaded;
  return settingsFrom(process.env, process.argv.slice(2));
}

/**
 * Parses the settings. An empty variable counts as unset. Throws an error that names the variable if a value is
 * invalid. The only argument is `--traffic`.
 */
export function settingsFrom(env: Environment, args: readonly string[] = []): Settings {
  const port = portFrom('PORT', env['PORT'] || '3000');
  const platform = env['PLATFORM'] || 'fastify';
  if (platform !== 'fastify' && platform !== 'express') {
    throw new Error(`PLATFORM: ${platform} is neither "fastify" nor "express"`);
  }
  const docs = isOn('DOCS', env['DOCS']);
  const status = isOn('STATUS', env['STATUS']);
  assertKnown(env);
  const configured = ['XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL', 'XPAY_REDIS_URL'].some((name) => env[name]);
  if (!configured && /^prod/i.test(env['NODE_ENV'] ?? '')) {
    throw new Error(
      'NODE_ENV is production and nothing is configured. Set XPAY_USERNAME and XPAY_SECRET_KEY; ' +
        'or XPAY_BASE_URL alone, to verify callers without an account of your own.',
    );
  }
  const demo = !configured;
  const { traffic } = parseArgs({
    args: [...args],
    options: { traffic: { type: 'boolean', default: false } },
  }).values;
  if (traffic && !demo) throw new Error('--traffic: there is demo traffic only in demo mode, without an account');
  const trustProxy = trustedProxies(env['TRUST_PROXY']);
  const host = (!demo && env['HOST']) || '127.0.0.1';
  return { trustProxy, host, port, platform, docs, status, traffic, demo, metrics: metricsFrom(env, demo) };
}

function isOn(name: string, value: string | undefined): boolean {
  if (value && value !== 'on' && value !== 'off') throw new Error(`${name}: ${value} is neither "on" nor "off"`);
  return value !== 'off';
}

function metricsFrom(env: Environment, demo: boolean): Settings['metrics'] {
  if (!env['METRICS_PORT']) return undefined;
  const port = portFrom('METRICS_PORT', env['METRICS_PORT']);
  // The exporter replaces 0 by its default port, not by a free port.
  if (port === 0) throw new Error('METRICS_PORT: 0 is no port for metrics; name one');
  return { host: (!demo && env['METRICS_HOST']) || '127.0.0.1', port };
}

function portFrom(name: string, value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw new Error(`${name}: ${value} is no port`);
  return Number(value);
}

/**
 * Accepts names and addresses, because only this syntax works on both platforms. Rejects the value that trusts every proxy,
 * because any client could then forge its address. Rejects everything else that the platforms reject, because their errors do
 * not name `TRUST_PROXY`.
 */
function trustedProxies(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (value.split(',').every((entry) => isProxy(entry.trim()))) return value;
  throw new Error(`TRUST_PROXY: ${value} is no list of addresses, such as "loopback, 10.0.0.0/8"`);
}

/** Whether an entry is a name that both platforms know, an address, or a network such as `10.0.0.0/8` or `10.0.0.0/255.0.0.0`. */
function isProxy(entry: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(entry)) return true;
  // All IPv4 addresses, written as IPv6.
  if (/^[0:]*:ffff:[^/]*\/96$/i.test(entry)) return false;
  const [, address = entry, range] = /^(.+)\/(.+)$/.exec(entry) ?? [];
  const version = isIP(address);
  if (version === 0 || range === undefined) return version !== 0;
  if (/^\d{1,3}$/.test(range)) return Number(range) > 0 && Number(range) <= (version === 4 ? 32 : 128);
  const mask = range.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  return version === 4 && isIP(range) === 4 && /^1+0*$/.test(mask.join(''));
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

/** Throws an error for an unknown `XPAY_` variable. A misspelt variable must not start demo mode or leave a default in use. */
function assertKnown(env: Environment): void {
  const unknown = Object.keys(env).find((name) => name.startsWith('XPAY_') && !VARIABLES.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown}: no such variable. There are ${VARIABLES.join(', ')}.`);
}
