import type { z } from 'zod';
import { type Clock, systemClock } from '../../core/clock.js';
import { type Credentials, type CredentialsFlaw, flawOf } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Dialect } from '../../core/ports.js';
import type { Range } from '../../core/refresh-policy.js';
import type { Store } from '../../core/store.js';
import { assertNoCycle } from '../../core/scopes.js';
import { giftStream } from '../../dialects/gift-stream/gift-stream.dialect.js';
import { passwordLogin } from '../../dialects/password-login/password-login.dialect.js';
import { xPay } from '../../dialects/xpay/xpay.dialect.js';
import { flawOfBaseUrl, normalizeBaseUrl } from '../../http/base-url.js';
import type { CredentialsExtractor } from '../request/extractors.js';
import { type OpenStore, storeFromEnvironment } from './environment-store.js';
import { ENVIRONMENT, type ReadVariable, optionsFromEnvironment } from './environment.js';
import { ASSIGNMENT, explainIssue } from './explain-issue.js';
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
  'name' | 'dialect' | 'baseUrl' | 'credentials' | 'store' | 'clock' | 'verification' | 'http' | 'envPrefix'
> {
  /** `default` for the unnamed instance. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly baseUrl: string;
  readonly credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly verification: Omit<Parsed['verification'], 'extractors'> & {
    /** No option: the testing module sets it, so that a failed upstream recovers at once. */
    readonly cooldownMs?: Range;
    readonly extractors: readonly ('basic' | 'bearer' | CredentialsExtractor)[];
  };
  readonly http: Omit<Parsed['http'], 'agent'> & { readonly agent: HttpOptions['agent'] };
  /** Opens what instances share; `undefined`: nothing is shared. */
  readonly store: OpenStore | undefined;
  readonly clock: Clock;
}

export const DEFAULT_INSTANCE = 'default';

const dialects = { xpay: xPay, 'gift-stream': giftStream, 'password-login': passwordLogin };

/**
 * The options of one instance, complete and checked: explicit over environment over default. Throws `configuration`
 * naming the option, the value and what is allowed.
 */
export function resolveOptions(
  given: XPayAuthFactoryOptions,
  beside: XPayAuthInstanceOptions,
  read: ReadVariable,
): ResolvedOptions {
  if (!isGroup(given)) {
    throw new XPayAuthError(
      'configuration',
      'XPayAuthModule.forRootAsync: the factory returned no options. Return { … }.',
    );
  }
  const misplaced = ['name', 'isGlobal', 'globalGuards'].find((key) => key in given);
  if (misplaced !== undefined) {
    throw refused(misplaced, 'is needed before the factory runs; write it beside the factory, in forRootAsync({ … })');
  }
  const explicit: XPayAuthOptions = { ...given, ...beside };
  const prefix = explicit.envPrefix ?? (explicit.name === undefined ? 'XPAY_' : '');
  const environment = prefix === '' ? {} : optionsFromEnvironment(prefix, read);
  const merged = merge(environment, explicit);
  const parsed = optionsSchema.safeParse(merged);
  if (!parsed.success) {
    throw new XPayAuthError(
      'configuration',
      parsed.error.issues.map((issue) => explainIssue(issue, merged, variableOf(issue, prefix, explicit))).join('\n'),
    );
  }
  const openStore = prefix === '' || explicit.store !== undefined ? undefined : storeFromEnvironment(prefix, read);
  return complete(parsed.data, openStore);
}

function complete(options: Parsed, openStore: OpenStore | undefined): ResolvedOptions {
  const dialect = typeof options.dialect === 'string' ? dialects[options.dialect]() : (options.dialect as Dialect);
  const { credentials, session, http, verification } = options;
  assertNoCycle(options.scopeHierarchy);
  if (dialect.accessTokenIsLongLivedSecret === true && (session.token === 'upstream' || session.keepUpstreamToken)) {
    const option = session.token === 'upstream' ? "session.token: 'upstream'" : 'session.keepUpstreamToken: true';
    throw refused(option, `not possible with ${dialect.name}, whose access token holds a secret that outlives it`);
  }
  if (isPlainCredentials(credentials)) {
    const flaw = flawOf(credentials);
    if (flaw !== undefined) throw notAllowed('credentials', '[redacted]', FLAWLESS[flaw]);
  }
  return {
    ...options,
    name: options.name ?? DEFAULT_INSTANCE,
    dialect,
    baseUrl: baseUrlOf(options.baseUrl ?? dialect.defaultBaseUrl, dialect, http.allowInsecureHosts),
    credentials: credentialsReader(credentials),
    verification: verification as ResolvedOptions['verification'],
    http: { ...http, agent: http.agent as HttpOptions['agent'] },
    store: options.store === undefined ? openStore : () => options.store as Store,
    clock: (options.clock as Clock | undefined) ?? systemClock,
  };
}

function baseUrlOf(value: string | undefined, dialect: Dialect, allowInsecureHosts: readonly string[]): string {
  if (value === undefined)
    throw refused(
      'baseUrl',
      `the dialect ${dialect.name} has no default, so it must be set (XPAY_BASE_URL in the environment)`,
    );
  const expected = flawOfBaseUrl(value, allowInsecureHosts);
  if (expected === undefined) return normalizeBaseUrl(value);
  // What does not belong into a base URL is where people put secrets.
  throw notAllowed(
    'baseUrl',
    /[@?#]/.test(value) || ASSIGNMENT.test(value) ? '[redacted]' : JSON.stringify(value),
    expected,
  );
}

const FLAWLESS: Readonly<Record<CredentialsFlaw, string>> = {
  empty: 'a user name and a secret that are not empty',
  control: 'a user name and a secret without control characters',
  ill_formed: 'a user name and a secret in well-formed Unicode',
  too_long: 'a user name and a secret of at most 4_096 bytes',
};

function credentialsReader(credentials: unknown): ResolvedOptions['credentials'] {
  if (isPlainCredentials(credentials)) return () => credentials;
  return credentials as ResolvedOptions['credentials'];
}

function isPlainCredentials(value: unknown): value is Credentials {
  return typeof value === 'object' && value !== null;
}

/** The variable that an option comes from, where it does. */
function variableOf({ path }: { path: readonly PropertyKey[] }, prefix: string, explicit: unknown): string | undefined {
  let said = explicit;
  for (const key of path) said = isGroup(said) ? (said as Record<PropertyKey, unknown>)[key] : undefined;
  const variable = Object.entries(ENVIRONMENT).find(([, option]) => option === path.join('.'))?.[0];
  return said === undefined && prefix !== '' && variable !== undefined ? prefix + variable : undefined;
}

/** Explicit values over those of the environment, one level into the groups. An explicit `undefined` says nothing. */
function merge(environment: XPayAuthFactoryOptions, explicit: XPayAuthOptions): XPayAuthOptions {
  const merged: Record<string, unknown> = overlay(environment, explicit);
  for (const group of ['http', 'verification', 'session'] as const) {
    const [below, above] = [environment[group], explicit[group]];
    if (below !== undefined && isGroup(above)) merged[group] = overlay(below, above);
  }
  return merged;
}

function overlay(below: object, above: object): Record<string, unknown> {
  return { ...below, ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined)) };
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notAllowed(option: string, shown: string, expected: string): XPayAuthError {
  return refused(option, `${shown} is not allowed; expected ${expected}`);
}

function refused(option: string, why: string): XPayAuthError {
  return new XPayAuthError('configuration', `XPayAuthModule option ${option}: ${why}.`);
}
