import { type InferOutput, safeParse } from 'valibot';
import { systemClock } from '../../async/system-clock.js';
import type { Clock } from '../../core/clock.js';
import { type Credentials, type CredentialsFlaw, SealedCredentials, flawOf } from '../../core/credentials.js';
import { isObject } from '../../core/decoders.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Dialect } from '../../core/ports.js';
import type { Range } from '../../async/backoff.js';
import { assertNoCycle } from '../../core/principal.js';
import { giftStream } from '../../dialects/gift-stream/gift-stream.dialect.js';
import { passwordLogin } from '../../dialects/password-login/password-login.dialect.js';
import { xPay } from '../../dialects/xpay/xpay.dialect.js';
import { flawOfBaseUrl, normalizeBaseUrl } from '../../http/base-url.js';
import {
  ENVIRONMENT,
  type OpenStore,
  type ReadVariable,
  optionsFromEnvironment,
  storeFromEnvironment,
} from './environment.js';
import { ASSIGNMENT, explainIssue, pathOf, valueAt } from './explain-issue.js';
import { optionsSchema } from './options-schema.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions, XPayAuthOptions } from './xpay-auth-options.js';

type Parsed = InferOutput<typeof optionsSchema>;

type Replaced = 'name' | 'dialect' | 'baseUrl' | 'credentials' | 'store' | 'clock' | 'envPrefix';

/** The options of an instance, each with its value. */
export interface ResolvedOptions extends Omit<Parsed, Replaced> {
  /** `default` for the unnamed instance. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly baseUrl: string;
  /** Whether `baseUrl` is the default of the dialect. */
  readonly usesDefaultHost: boolean;
  /** The prefix of the variables that the instance reads. Empty if the instance reads no variables. */
  readonly envPrefix: string;
  /** The options that are set in code. */
  readonly inCode: ReadonlySet<string>;
  readonly credentials: SealedCredentials | (() => Credentials | Promise<Credentials>) | undefined;
  readonly verification: Parsed['verification'] & {
    /**
     * Range of the cooldowns. This is not an option of the app. The testing module sets it, so that no cooldown follows a
     * failure.
     */
    readonly cooldownMs?: Range;
  };
  /** Opens the store that instances share. `undefined` if there is none. */
  readonly store: OpenStore | undefined;
  readonly clock: Clock;
}

export const DEFAULT_INSTANCE = 'default';

/** Returns the fields that instances with shared state have in common. */
export function scopeOf({ name, dialect, baseUrl }: ResolvedOptions): readonly [string, string, string] {
  return [name, dialect.name, baseUrl];
}

const dialects = { xpay: xPay, 'gift-stream': giftStream, 'password-login': passwordLogin };

/**
 * Returns the validated options of one instance. An explicit value takes precedence over the environment, and the environment
 * takes precedence over the default. Throws `configuration` with the option, the value and the accepted values.
 */
export function resolveOptions(
  given: XPayAuthFactoryOptions,
  beside: XPayAuthInstanceOptions,
  read: ReadVariable,
): ResolvedOptions {
  if (!isObject(given)) {
    const message = 'XPayAuthModule.forRootAsync: the factory returned no options. Return { … }.';
    throw new XPayAuthError('configuration', message);
  }
  const misplaced = ['name', 'isGlobal', 'globalGuards'].find((key) => key in given);
  if (misplaced !== undefined) {
    throw refused(misplaced, 'is needed before the factory runs; write it beside the factory, in forRootAsync({ … })');
  }
  const explicit: XPayAuthOptions = { ...given, ...beside };
  const prefix = explicit.envPrefix ?? (explicit.name === undefined ? 'XPAY_' : '');
  const hasAccount = explicit.credentials !== undefined;
  const environment = prefix === '' ? {} : optionsFromEnvironment(prefix, read, hasAccount);
  const merged = merge(environment, explicit);
  const parsed = safeParse(optionsSchema, merged, { abortPipeEarly: true });
  if (!parsed.success) {
    const lines = parsed.issues.map((issue) =>
      explainIssue(issue, merged, variableOf(pathOf(issue), prefix, explicit)),
    );
    throw new XPayAuthError('configuration', lines.join('\n'));
  }
  const openStore = prefix === '' || explicit.store !== undefined ? undefined : storeFromEnvironment(prefix, read);
  const inCode = Object.entries(explicit).flatMap(([option, value]) => (value === undefined ? [] : [option]));
  const baseUrlOrigin = variableOf(['baseUrl'], prefix, explicit);
  return { ...complete(parsed.output, openStore, baseUrlOrigin), envPrefix: prefix, inCode: new Set(inCode) };
}

function complete(
  options: Parsed,
  openStore: OpenStore | undefined,
  baseUrlOrigin: string | undefined,
): Omit<ResolvedOptions, 'envPrefix' | 'inCode'> {
  const dialect = typeof options.dialect === 'string' ? dialects[options.dialect]() : options.dialect;
  const { credentials, session, http, store, verification } = options;
  assertNoCycle(options.scopeHierarchy);
  const keeping =
    (session.token === 'upstream' && "session.token: 'upstream'") ||
    (session.keepUpstreamToken && 'session.keepUpstreamToken: true') ||
    (verification.keepUpstreamToken && 'verification.keepUpstreamToken: true');
  if (dialect.accessTokenIsLongLivedSecret === true && keeping !== false) {
    throw refused(keeping, `not possible with ${dialect.name}, whose access token holds a secret that outlives it`);
  }
  if (http.transport !== undefined && http.agent !== undefined) {
    throw refused('http.transport', 'not possible together with http.agent, which only axios uses; remove one of them');
  }
  const flaw = typeof credentials === 'object' ? flawOf(credentials) : undefined;
  if (flaw !== undefined) throw notAllowed('credentials', '[redacted]', FLAWLESS[flaw]);
  return {
    ...options,
    name: options.name ?? DEFAULT_INSTANCE,
    dialect,
    baseUrl: baseUrlOf(options.baseUrl ?? dialect.defaultBaseUrl, dialect, http.allowInsecureHosts, baseUrlOrigin),
    usesDefaultHost: options.baseUrl === undefined,
    credentials: typeof credentials === 'object' ? SealedCredentials.of(credentials) : credentials,
    store: store === undefined ? openStore : () => store,
    clock: options.clock ?? systemClock,
  };
}

function baseUrlOf(
  value: string | undefined,
  dialect: Dialect,
  allowInsecureHosts: readonly string[],
  variable: string | undefined,
): string {
  const absent = `the dialect ${dialect.name} has no default, so it must be set (XPAY_BASE_URL in the environment)`;
  if (value === undefined) throw refused('baseUrl', absent);
  const expected = flawOfBaseUrl(value, allowInsecureHosts);
  if (expected === undefined) return normalizeBaseUrl(value);
  // User info, query and fragment of a URL may contain a secret.
  const mayHoldSecret = /[@?#]/.test(value) || ASSIGNMENT.test(value);
  const option = variable === undefined ? 'baseUrl' : `baseUrl (from ${variable})`;
  throw notAllowed(option, mayHoldSecret ? '[redacted]' : JSON.stringify(value), expected);
}

const FLAWLESS: Readonly<Record<CredentialsFlaw, string>> = {
  not_text: 'a user name and a secret that are strings',
  empty: 'a user name and a secret that are not empty',
  control: 'a user name and a secret without control characters',
  ill_formed: 'a user name and a secret in well-formed Unicode',
  too_long: 'a user name and a secret of at most 4_096 bytes',
};

/** Returns the variable from which an option was read, or `undefined` if the option has another origin. */
function variableOf(path: readonly string[], prefix: string, explicit: unknown): string | undefined {
  const variable = Object.entries(ENVIRONMENT).find(([, option]) => option === path.join('.'))?.[0];
  const isRead = prefix !== '' && variable !== undefined && valueAt(path, explicit) === undefined;
  return isRead ? prefix + variable : undefined;
}

/**
 * Merges explicit values over the values of the environment. Merges groups of options one level deep. Ignores an explicit
 * `undefined`.
 */
function merge(environment: XPayAuthFactoryOptions, explicit: XPayAuthOptions): XPayAuthOptions {
  const merged: Record<string, unknown> = overlay(environment, explicit);
  for (const group of ['http', 'verification', 'session'] as const) {
    const [below, above] = [environment[group], explicit[group]];
    if (below !== undefined && isObject(above)) merged[group] = overlay(below, above);
  }
  return merged;
}

function overlay(below: object, above: object): Record<string, unknown> {
  return { ...below, ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined)) };
}

function notAllowed(option: string, shown: string, expected: string): XPayAuthError {
  return refused(option, `${shown} is not allowed; expected ${expected}`);
}

function refused(option: string, why: string): XPayAuthError {
  return new XPayAuthError('configuration', `XPayAuthModule option ${option}: ${why}.`);
}
