import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../async/system-clock.js';
import { XPayAuthError } from '../../core/errors.js';
import { type ResolvedOptions, resolveOptions } from './resolve-options.js';
import type {
  AccountsOptions,
  AttemptsOptions,
  HttpOptions,
  SessionOptions,
  TokenOptions,
  VerificationOptions,
  XPayAuthOptions,
} from './xpay-auth-options.js';

/** Every option. The compiler requires a row for each. */
type OptionPath =
  | keyof XPayAuthOptions
  | `accounts.${keyof AccountsOptions}`
  | `token.${keyof TokenOptions}`
  | `verification.${keyof VerificationOptions}`
  | `session.${keyof SessionOptions}`
  | `attempts.${keyof AttemptsOptions}`
  | `http.${keyof HttpOptions}`;

interface Row {
  /** The required options of the same group. */
  readonly beside?: object;
  /** The value if the option is not set. */
  readonly default: unknown;
  readonly bad: unknown;
  /** The message of the boot error, after `XPayAuthModule option `. */
  readonly says: string;
}

const DIALECTS = "'xpay', 'gift-stream', 'password-login' or a dialect";
const notPositive = (path: string, bad = 0) => `${path}: ${bad} is not allowed; expected number to be >=1`;
const notBoolean = (path: string) => `${path}: "yes" is not allowed; expected boolean`;

const noAccounts = (): undefined => undefined;

const ROWS: Record<OptionPath, Row> = {
  name: {
    default: 'default',
    bad: '2 names',
    says: 'name: "2 names" is not allowed; expected a letter, then letters, digits, "_" and "-"',
  },
  isGlobal: { default: true, bad: 'yes', says: notBoolean('isGlobal') },
  globalGuards: { default: false, bad: 'yes', says: notBoolean('globalGuards') },
  envPrefix: {
    default: 'XPAY_',
    bad: '',
    says: 'envPrefix: "" is not allowed; expected string to have >=1 characters',
  },
  dialect: { default: 'xpay', bad: 'x-pay', says: `dialect: "x-pay" is not allowed; expected ${DIALECTS}` },
  baseUrl: {
    default: 'https://apis.xpay.stream',
    bad: 'apis.xpay.stream',
    says: 'baseUrl: "apis.xpay.stream" is not allowed; expected an absolute http(s) URL',
  },
  credentials: {
    default: undefined,
    bad: 'app:key-1',
    says:
      'credentials: [redacted] is not allowed; expected { username, secretKey }, both non-empty strings, ' +
      'or a function that returns them',
  },
  accounts: { default: undefined, bad: noAccounts, says: 'accounts: a function is not allowed; expected object' },
  'accounts.credentials': {
    default: noAccounts,
    beside: { credentials: noAccounts },
    bad: 'app:key-1',
    says:
      'accounts.credentials: [redacted] is not allowed; ' +
      'expected a function that returns { username, secretKey } for an id',
  },
  'accounts.maxEntries': {
    default: 1_000,
    beside: { credentials: noAccounts },
    bad: 0,
    says: notPositive('accounts.maxEntries'),
  },
  scopeHierarchy: {
    default: {},
    bad: { 'tme admin': ['tme_user'] },
    says: 'scopeHierarchy: "tme admin" is not allowed; expected scope names (RFC 6749 §3.3)',
  },
  token: {
    default: {
      refreshAt: [0.65, 0.75],
      backoffMs: { min: 125, max: 30_000 },
      rejectedRetryMs: { min: 1_000, max: 60_000 },
      fallbackLifeMs: 300_000,
      deadlineMs: 10_000,
      warmUp: false,
    },
    bad: 5,
    says: 'token: 5 is not allowed; expected object',
  },
  'token.refreshAt': {
    default: [0.65, 0.75],
    bad: [0.9, 0.1],
    says: 'token.refreshAt: [0.9,0.1] is not allowed; expected two shares of the lifetime, the smaller one first',
  },
  'token.hardMarginMs': {
    default: undefined,
    bad: -1,
    says: 'token.hardMarginMs: -1 is not allowed; expected number to be >=0',
  },
  'token.backoffMs': {
    default: { min: 125, max: 30_000 },
    bad: { min: 5, max: 1 },
    says: 'token.backoffMs: {"min":5,"max":1} is not allowed; expected min at most max',
  },
  'token.rejectedRetryMs': {
    default: { min: 1_000, max: 60_000 },
    bad: { min: 0, max: 60_000 },
    says: notPositive('token.rejectedRetryMs.min'),
  },
  'token.fallbackLifeMs': { default: 300_000, bad: 0, says: notPositive('token.fallbackLifeMs') },
  'token.deadlineMs': {
    default: 10_000,
    bad: '10s',
    says: 'token.deadlineMs: "10s" is not allowed; expected number',
  },
  'token.warmUp': { default: false, bad: 'yes', says: notBoolean('token.warmUp') },
  verification: {
    default: {
      periodMs: 60_000,
      refusedPeriodMs: 5_000,
      maxEntries: 10_000,
      maxConcurrent: 64,
      maxQueued: 10_000,
      queueTimeoutMs: 5_000,
      staleIfErrorMs: 0,
      share: false,
      keepUpstreamToken: false,
      cachePerConnection: true,
      extractors: ['basic', 'bearer'],
      realm: 'xpay',
      stripCredentials: false,
    },
    bad: 'off',
    says: 'verification: "off" is not allowed; expected object',
  },
  'verification.periodMs': {
    default: 60_000,
    bad: 300_001,
    says: 'verification.periodMs: 300001 is not allowed; expected number to be <=300000',
  },
  'verification.refusedPeriodMs': {
    default: 5_000,
    bad: 1.5,
    says: 'verification.refusedPeriodMs: 1.5 is not allowed; expected int',
  },
  'verification.maxEntries': { default: 10_000, bad: 0, says: notPositive('verification.maxEntries') },
  'verification.maxConcurrent': { default: 64, bad: -1, says: notPositive('verification.maxConcurrent', -1) },
  'verification.maxQueued': {
    default: 10_000,
    bad: -1,
    says: 'verification.maxQueued: -1 is not allowed; expected number to be >=0',
  },
  'verification.queueTimeoutMs': { default: 5_000, bad: 0, says: notPositive('verification.queueTimeoutMs') },
  'verification.staleIfErrorMs': {
    default: 0,
    bad: Number.NaN,
    says: 'verification.staleIfErrorMs: NaN is not allowed; expected number',
  },
  'verification.share': { default: false, bad: 'yes', says: notBoolean('verification.share') },
  'verification.keepUpstreamToken': { default: false, bad: 'yes', says: notBoolean('verification.keepUpstreamToken') },
  'verification.cachePerConnection': {
    default: true,
    bad: 'yes',
    says: notBoolean('verification.cachePerConnection'),
  },
  'verification.extractors': {
    default: ['basic', 'bearer'],
    bad: ['cookie'],
    says:
      'verification.extractors.0: "cookie" is not allowed; ' +
      "expected 'basic', 'bearer' or an object with `scheme` and `extract`",
  },
  'verification.realm': {
    default: 'xpay',
    bad: 'a\r\nb',
    says: 'verification.realm: "a\\r\\nb" is not allowed; expected printable ASCII',
  },
  'verification.stripCredentials': { default: false, bad: 'yes', says: notBoolean('verification.stripCredentials') },
  session: {
    default: { periodMs: 43_200_000, token: 'opaque', keepUpstreamToken: false, maxPerUser: 100 },
    bad: false,
    says: 'session: false is not allowed; expected object',
  },
  'session.periodMs': { default: 43_200_000, bad: 0, says: notPositive('session.periodMs') },
  'session.idleMs': { default: undefined, bad: 0, says: notPositive('session.idleMs') },
  'session.token': {
    default: 'opaque',
    bad: 'jwt',
    says: 'session.token: "jwt" is not allowed; expected one of "opaque"|"upstream"',
  },
  'session.maxPerUser': { default: 100, bad: 0, says: notPositive('session.maxPerUser') },
  'session.keepUpstreamToken': { default: false, bad: 'yes', says: notBoolean('session.keepUpstreamToken') },
  attempts: {
    default: {
      perUserAndAddress: { attempts: 10, windowMs: 900_000 },
      perAddress: { attempts: 100, windowMs: 3_600_000 },
      perUser: { attempts: 100, windowMs: 86_400_000 },
    },
    bad: true,
    says: 'attempts: true is not allowed; expected false or object',
  },
  'attempts.perUserAndAddress': {
    default: { attempts: 10, windowMs: 900_000 },
    bad: { attempts: 0, windowMs: 900_000 },
    says: notPositive('attempts.perUserAndAddress.attempts'),
  },
  'attempts.perAddress': {
    default: { attempts: 100, windowMs: 3_600_000 },
    bad: { attempts: 1, windowMs: 60 },
    says: 'attempts.perAddress.windowMs: 60 is not allowed; expected number to be >=1000',
  },
  'attempts.perUser': {
    default: { attempts: 100, windowMs: 86_400_000 },
    bad: 5,
    says: 'attempts.perUser: 5 is not allowed; expected object',
  },
  http: {
    default: {
      timeoutMs: 5_000,
      maxResponseBytes: 1_048_576,
      allowInsecureHosts: [],
      agent: undefined,
      transport: undefined,
    },
    bad: [],
    says: 'http: [] is not allowed; expected object',
  },
  'http.timeoutMs': {
    default: 5_000,
    // Node would fire such a timer at once.
    bad: 2 ** 31,
    says: 'http.timeoutMs: 2147483648 is not allowed; expected number to be <=2147483647',
  },
  'http.maxResponseBytes': { default: 1_048_576, bad: 0, says: notPositive('http.maxResponseBytes') },
  'http.allowInsecureHosts': {
    default: [],
    bad: 'xpay.internal',
    says: 'http.allowInsecureHosts: "xpay.internal" is not allowed; expected array',
  },
  'http.agent': {
    default: undefined,
    bad: { https: { ca: 'pem' } },
    says: 'http.agent.https: an object is not allowed; expected an https.Agent',
  },
  'http.transport': {
    default: undefined,
    bad: 'undici',
    says: 'http.transport: "undici" is not allowed; expected a transport, such as undiciTransport()',
  },
  undeclaredRoutes: {
    default: 'allow',
    bad: 'block',
    says: 'undeclaredRoutes: "block" is not allowed; expected one of "allow"|"warn"|"deny"',
  },
  store: {
    default: undefined,
    bad: {},
    says: 'store: {} is not allowed; expected a store, such as redisStore(…)',
  },
  clock: {
    default: systemClock,
    bad: Date,
    says: 'clock: a function is not allowed; expected { now(), monotonic(), setTimer() }',
  },
};

const nothing = (): undefined => undefined;
const BESIDE: readonly string[] = ['name', 'isGlobal', 'globalGuards'];

/** The options of an app that writes this one option and has nothing in its environment. */
function resolveWith(path: string, value: unknown, { beside }: Row): ResolvedOptions {
  const [name = '', option] = path.split('.');
  const inner = value === undefined ? {} : { [String(option)]: value };
  const options = {
    [name]: option === undefined ? value : beside === undefined ? { [option]: value } : { ...beside, ...inner },
  };
  return BESIDE.includes(path) ? resolveOptions({}, options, nothing) : resolveOptions(options, {}, nothing);
}

function valueAt(options: object, path: string): unknown {
  const value = path.split('.').reduce<unknown>((whole, key) => (whole as Record<string, unknown>)[key], options);
  return path === 'dialect' ? (value as { name: string }).name : value;
}

describe('every option', () => {
  const rows = Object.entries<Row>(ROWS);

  it.each(rows)('%s has its default', (path, row) => {
    const [name = ''] = path.split('.');
    const needed = row.beside === undefined ? {} : { [name]: row.beside };
    expect(valueAt(resolveOptions(needed, {}, nothing), path)).toEqual(row.default);
  });

  it.each(rows)('%s: undefined is ignored', (path, row) => {
    expect(valueAt(resolveWith(path, undefined, row), path)).toEqual(row.default);
  });

  it.each(rows)('%s rejects a bad value with its name, the value and the accepted values', (path, row) => {
    const failure = new XPayAuthError('configuration', `XPayAuthModule option ${row.says}.`);
    expect(() => resolveWith(path, row.bad, row)).toThrow(failure);
  });
});
