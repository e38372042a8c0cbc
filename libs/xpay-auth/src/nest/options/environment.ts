import { XPayAuthError } from '../../core/errors.js';
import type { XPayAuthFactoryOptions } from './xpay-auth-options.js';

/** Reads one variable. An empty one counts as unset. */
export type ReadVariable = (name: string) => string | undefined;

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

/** A text that is not a number stays, and the schema rejects it by the option's name. */
const number = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : text);

/** How variables are read whose option is not a string. */
const READERS: Partial<Record<Variable, (text: string) => unknown>> = {
  ALLOW_INSECURE_HOSTS: (text) => text.split(',').flatMap((host) => host.trim() || []),
  VERIFICATION_PERIOD_MS: number,
  SESSION_PERIOD_MS: number,
};

/** The options in the environment, all but `store`. Throws `configuration` for a user name without its key, or the reverse. */
export function optionsFromEnvironment(prefix: string, read: ReadVariable): XPayAuthFactoryOptions {
  assertNotAlone(prefix, 'USERNAME', 'SECRET_KEY', read);
  assertNotAlone(prefix, 'SECRET_KEY', 'USERNAME', read);
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

/** Throws `configuration` if a variable is set without another one that it needs. */
export function assertNotAlone(prefix: string, variable: Variable, needed: Variable, read: ReadVariable): void {
  if (!read(prefix + variable) || read(prefix + needed)) return;
  const message = `The environment has ${prefix}${variable} but no ${prefix}${needed}. Set both, or neither.`;
  throw new XPayAuthError('configuration', message);
}
