import type { Clock } from '../../core/clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { XPayAuthFactoryOptions } from './xpay-auth-options.js';

/** Reads one variable. An empty variable counts as not set. */
export type ReadVariable = (name: string) => string | undefined;

/** Opens a store. */
export type OpenStore = (clock: Clock) => Store | Promise<Store>;

/** The variables an instance reads, without their prefix. The table in docs/reference.md is generated from this list. */
export const ENVIRONMENT = {
  USERNAME: 'credentials.username',
  SECRET_KEY: 'credentials.secretKey',
  BASE_URL: 'baseUrl',
  DIALECT: 'dialect',
  /** separated by commas */
  ALLOW_INSECURE_HOSTS: 'http.allowInsecureHosts',
  VERIFICATION_PERIOD_MS: 'verification.periodMs',
  SESSION_PERIOD_MS: 'session.periodMs',
  /** as `redisStore({ url })` */
  REDIS_URL: 'store',
  /** its `encryptionKeys`, as `id:base64,id:base64` */
  ENCRYPTION_KEYS: 'store',
} as const;

type Variable = keyof typeof ENVIRONMENT;

/** Returns a number, or the unchanged text if it is not a number. The schema rejects such a text with the name of the option. */
const number = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : text);

/** The readers of variables whose option is not a string. */
const READERS: Partial<Record<Variable, (text: string) => unknown>> = {
  ALLOW_INSECURE_HOSTS: (text) => text.split(',').flatMap((host) => host.trim() || []),
  VERIFICATION_PERIOD_MS: number,
  SESSION_PERIOD_MS: number,
};

/**
 * Returns the options from the environment, except `store`. Throws `configuration` if only one of user name and secret key is
 * set, unless the app account is set in code (`hasAccount`).
 */
export function optionsFromEnvironment(prefix: string, read: ReadVariable, hasAccount = false): XPayAuthFactoryOptions {
  if (!hasAccount) {
    assertNotAlone(prefix, 'USERNAME', 'SECRET_KEY', read);
    assertNotAlone(prefix, 'SECRET_KEY', 'USERNAME', read);
  }
  const options: Record<string, unknown> = {};
  for (const variable of Object.keys(ENVIRONMENT) as Variable[]) {
    const text = read(prefix + variable);
    const [option = '', field] = ENVIRONMENT[variable].split('.');
    if (!text || option === 'store') continue;
    const value = READERS[variable]?.(text) ?? text;
    options[option] = field === undefined ? value : { ...(options[option] as object | undefined), [field]: value };
  }
  return options;
}

/**
 * Returns a function that opens the Redis store of the environment, or `undefined` if no URL is set. Throws `configuration` for
 * keys without a URL.
 */
export function storeFromEnvironment(prefix: string, read: ReadVariable): OpenStore | undefined {
  assertNotAlone(prefix, 'ENCRYPTION_KEYS', 'REDIS_URL', read);
  const url = read(`${prefix}REDIS_URL`);
  if (!url) return undefined;
  const encryptionKeys = read(`${prefix}ENCRYPTION_KEYS`) ?? '';
  return async (clock) => {
    const { redisStore } = await import('../../stores/redis.store.js');
    // Without keys, `redisStore` throws an error that explains how to create one.
    return redisStore({ url, encryptionKeys, clock });
  };
}

/** Throws `configuration` if a variable is set without another one that it needs. */
function assertNotAlone(prefix: string, variable: Variable, needed: Variable, read: ReadVariable): void {
  if (!read(prefix + variable) || read(prefix + needed)) return;
  const message = `The environment has ${prefix}${variable} but no ${prefix}${needed}. Set both, or neither.`;
  throw new XPayAuthError('configuration', message);
}
