import type { z } from 'zod';
import { type Clock, systemClock } from '../../core/clock.js';
import { type Credentials, flawOf } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Dialect } from '../../core/ports.js';
import { assertNoCycle } from '../../core/scopes.js';
import { xPay } from '../../dialects/xpay/xpay.dialect.js';
import { flawOfBaseUrl, normalizeBaseUrl } from '../../http/base-url.js';
import type { CredentialsExtractor } from '../extractors.js';
import { type ReadVariable, optionsFromEnvironment } from './environment.js';
import { explainIssue } from './explain-issue.js';
import { optionsSchema } from './options-schema.js';
import type {
  HttpOptions,
  XPayAuthFactoryOptions,
  XPayAuthInstanceOptions,
  XPayAuthOptions,
} from './xpay-auth-options.js';

type Parsed = z.output<typeof optionsSchema>;

/** What the code may rely on: every option with its value. */
export interface ResolvedOptions extends Omit<
  Parsed,
  'name' | 'dialect' | 'baseUrl' | 'credentials' | 'clock' | 'verification' | 'http' | 'envPrefix'
> {
  /** `default` for the unnamed instance. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly baseUrl: string;
  readonly credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly verification: Omit<Parsed['verification'], 'extractors'> & {
    readonly extractors: readonly ('basic' | 'bearer' | CredentialsExtractor)[];
  };
  readonly http: Omit<Parsed['http'], 'agent'> & { readonly agent: HttpOptions['agent'] };
  readonly clock: Clock;
}

export const DEFAULT_INSTANCE = 'default';

const dialects = { xpay: xPay };

/**
 * The options of one instance, complete and checked: explicit over environment over default. Throws `configuration`
 * naming the option, the value and what is allowed.
 */
export function resolveOptions(
  given: XPayAuthFactoryOptions,
  beside: XPayAuthInstanceOptions,
  read: ReadVariable,
): ResolvedOptions {
  const explicit: XPayAuthOptions = { ...given, ...beside };
  const prefix = explicit.envPrefix ?? (explicit.name === undefined ? 'XPAY_' : undefined);
  const merged = prefix === undefined ? explicit : merge(optionsFromEnvironment(prefix, read), explicit);
  const parsed = optionsSchema.safeParse(merged);
  if (!parsed.success) {
    throw new XPayAuthError(
      'configuration',
      parsed.error.issues.map((issue) => explainIssue(issue, merged)).join('\n'),
    );
  }
  return complete(parsed.data);
}

function complete(options: Parsed): ResolvedOptions {
  const dialect =
    typeof options.dialect === 'string' ? dialects[options.dialect as 'xpay']() : (options.dialect as Dialect);
  const { credentials, session, http, verification } = options;
  assertNoCycle(options.scopeHierarchy);
  if (dialect.accessTokenIsLongLivedSecret === true && (session.token === 'upstream' || session.keepUpstreamToken)) {
    const option = session.token === 'upstream' ? "session.token: 'upstream'" : 'session.keepUpstreamToken: true';
    throw refused(option, `not possible with ${dialect.name}, whose access token holds a secret that outlives it`);
  }
  if (isPlainCredentials(credentials)) {
    const flaw = flawOf(credentials);
    if (flaw !== undefined)
      throw refused('credentials [redacted]', `expected a user name and a secret, but one is ${flaw}`);
  }
  return {
    ...options,
    name: options.name ?? DEFAULT_INSTANCE,
    dialect,
    baseUrl: baseUrlOf(options.baseUrl ?? dialect.defaultBaseUrl, dialect, http.allowInsecureHosts),
    credentials: credentialsReader(credentials),
    verification: verification as ResolvedOptions['verification'],
    http: { ...http, agent: http.agent as HttpOptions['agent'] },
    clock: (options.clock as Clock | undefined) ?? systemClock,
  };
}

function baseUrlOf(value: string | undefined, dialect: Dialect, allowInsecureHosts: readonly string[]): string {
  if (value === undefined) throw refused('baseUrl', `the dialect ${dialect.name} has no default, so it must be set`);
  const expected = flawOfBaseUrl(value, allowInsecureHosts);
  if (expected === undefined) return normalizeBaseUrl(value);
  const shown = value.includes('@') ? '[redacted]' : JSON.stringify(value);
  throw refused(`baseUrl: ${shown}`, `expected ${expected}`);
}

function credentialsReader(credentials: unknown): ResolvedOptions['credentials'] {
  if (isPlainCredentials(credentials)) return () => credentials;
  return credentials as ResolvedOptions['credentials'];
}

function isPlainCredentials(value: unknown): value is Credentials {
  return typeof value === 'object' && value !== null;
}

/** Explicit values over those of the environment, one level into the groups. An explicit `undefined` says nothing. */
function merge(environment: XPayAuthFactoryOptions, explicit: XPayAuthOptions): XPayAuthOptions {
  const merged: Record<string, unknown> = { ...environment };
  for (const [key, value] of Object.entries(explicit)) {
    const below = merged[key];
    const group = key === 'http' || key === 'verification' || key === 'session';
    if (group && isPlainObject(value) && isPlainObject(below)) merged[key] = { ...below, ...value };
    else if (value !== undefined) merged[key] = value;
  }
  return merged;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function refused(option: string, why: string): XPayAuthError {
  return new XPayAuthError('configuration', `XPayAuthModule option ${option}: ${why}.`);
}
