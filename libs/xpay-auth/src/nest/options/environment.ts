import { XPayAuthError } from '../../core/errors.js';
import type { XPayAuthFactoryOptions } from './xpay-auth-options.js';

/** Reads one variable; empty counts as unset. */
export type ReadVariable = (name: string) => string | undefined;

/** The variables an instance reads, without their prefix. The README's table is made from this list. */
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

/** What the environment says, as options. Throws `configuration` where it says half of a thing. */
export function optionsFromEnvironment(prefix: string, read: ReadVariable): XPayAuthFactoryOptions {
  const variable = (name: keyof typeof ENVIRONMENT): string | undefined => read(prefix + name) || undefined;
  const [username, secretKey] = [variable('USERNAME'), variable('SECRET_KEY')];
  if ((username === undefined) !== (secretKey === undefined)) {
    const [present, absent] = username === undefined ? ['SECRET_KEY', 'USERNAME'] : ['USERNAME', 'SECRET_KEY'];
    throw new XPayAuthError(
      'configuration',
      `The environment has ${prefix}${present} but no ${prefix}${absent}. Set both, or neither.`,
    );
  }
  const hosts = variable('ALLOW_INSECURE_HOSTS')
    ?.split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '');
  const verificationMs = number(variable('VERIFICATION_PERIOD_MS'));
  const sessionMs = number(variable('SESSION_PERIOD_MS'));
  const baseUrl = variable('BASE_URL');
  // Whether it is a dialect's name is for the schema to say, like everything else here.
  const dialect = variable('DIALECT') as 'xpay' | undefined;
  return {
    ...(username !== undefined && secretKey !== undefined && { credentials: { username, secretKey } }),
    ...(baseUrl !== undefined && { baseUrl }),
    ...(dialect !== undefined && { dialect }),
    ...(hosts !== undefined && { http: { allowInsecureHosts: hosts } }),
    ...(verificationMs !== undefined && { verification: { periodMs: verificationMs } }),
    ...(sessionMs !== undefined && { session: { periodMs: sessionMs } }),
  };
}

/** A number, or the text as it is, which the schema then complains about by the option's name. */
function number(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Number(value) : (value as unknown as number);
}
