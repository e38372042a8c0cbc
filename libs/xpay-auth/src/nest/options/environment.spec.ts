import { describe, expect, it, jest } from '@jest/globals';
import { ENVIRONMENT } from './environment.js';
import { type ResolvedOptions, resolveOptions } from './resolve-options.js';
import type { XPayAuthFactoryOptions, XPayAuthInstanceOptions } from './xpay-auth-options.js';

type Variables = Readonly<Record<string, string>>;

const ACCOUNT = { XPAY_USERNAME: 'app@example.test', XPAY_SECRET_KEY: 'key-of-app-27182' };

function resolveIn(
  variables: Variables,
  explicit: XPayAuthFactoryOptions = {},
  beside: XPayAuthInstanceOptions = {},
): ResolvedOptions {
  return resolveOptions(explicit, beside, (name) => variables[name]);
}

/** The resolved account does not print, and has no enumerable secret. */
function accountOf({ credentials }: ResolvedOptions): unknown {
  return typeof credentials === 'object' && { username: credentials.username, secretKey: credentials.secretKey };
}

describe('the environment', () => {
  const rows: [keyof typeof ENVIRONMENT, Variables, (options: ResolvedOptions) => unknown, unknown][] = [
    ['USERNAME', ACCOUNT, accountOf, { username: 'app@example.test', secretKey: 'key-of-app-27182' }],
    ['SECRET_KEY', ACCOUNT, accountOf, { username: 'app@example.test', secretKey: 'key-of-app-27182' }],
    [
      'BASE_URL',
      { XPAY_BASE_URL: 'https://xpay.example.test/' },
      ({ baseUrl }) => baseUrl,
      'https://xpay.example.test',
    ],
    ['DIALECT', { XPAY_DIALECT: 'gift-stream' }, ({ dialect }) => dialect.name, 'gift-stream'],
    [
      'ALLOW_INSECURE_HOSTS',
      { XPAY_ALLOW_INSECURE_HOSTS: ' a.test, b.test,, ' },
      ({ http }) => http.allowInsecureHosts,
      ['a.test', 'b.test'],
    ],
    [
      'VERIFICATION_PERIOD_MS',
      { XPAY_VERIFICATION_PERIOD_MS: '30000' },
      ({ verification }) => verification.periodMs,
      30_000,
    ],
    ['SESSION_PERIOD_MS', { XPAY_SESSION_PERIOD_MS: '3600000' }, ({ session }) => session.periodMs, 3_600_000],
    [
      'REDIS_URL',
      { XPAY_REDIS_URL: 'redis://127.0.0.1:1', XPAY_ENCRYPTION_KEYS: 'k1:x' },
      ({ store }) => typeof store,
      'function',
    ],
    [
      'ENCRYPTION_KEYS',
      { XPAY_REDIS_URL: 'redis://127.0.0.1:1', XPAY_ENCRYPTION_KEYS: 'k1:x' },
      ({ store }) => typeof store,
      'function',
    ],
  ];

  it.each(rows)('sets %s', (_variable, variables, read, expected) => {
    expect(read(resolveIn(variables))).toEqual(expected);
  });

  it('is complete in the table above', () => {
    expect(rows.map(([variable]) => variable)).toEqual(Object.keys(ENVIRONMENT));
  });

  it.each(Object.keys(ENVIRONMENT))('ignores an empty %s', (variable) => {
    const { credentials, dialect, ...options } = resolveIn({ [`XPAY_${variable}`]: '' });
    const { credentials: none, dialect: xpay, ...defaults } = resolveIn({});
    expect([credentials, dialect.name, options]).toEqual([none, xpay.name, defaults]);
  });

  it.each([
    ['XPAY_USERNAME', 'XPAY_SECRET_KEY'],
    ['XPAY_SECRET_KEY', 'XPAY_USERNAME'],
  ] as const)('with %s and no %s is refused, without its value', (present, absent) => {
    const half = { [present]: ACCOUNT[present] };
    expect(() => resolveIn(half)).toThrow(`The environment has ${present} but no ${absent}. Set both, or neither.`);
    expect(() => resolveIn(half)).not.toThrow(ACCOUNT[present]);
  });

  it.each([
    [
      { XPAY_DIALECT: 'x-pay' },
      /option dialect \(from XPAY_DIALECT\): "x-pay" is not allowed; expected 'xpay', 'gift-stream'/,
    ],
    [
      { XPAY_BASE_URL: 'http://xpay.example.test' },
      /option baseUrl \(from XPAY_BASE_URL\): "http:\/\/xpay.example.test" is not allowed; expected an https:/,
    ],
    [
      { XPAY_VERIFICATION_PERIOD_MS: '30s' },
      /option verification.periodMs \(from XPAY_VERIFICATION_PERIOD_MS\): "30s" is not allowed; expected number/,
    ],
    [
      { XPAY_VERIFICATION_PERIOD_MS: '999999' },
      /option verification.periodMs \(from XPAY_VERIFICATION_PERIOD_MS\): 999999 is not allowed; expected number to be <=300000/,
    ],
    [
      { XPAY_SESSION_PERIOD_MS: '-1' },
      /option session.periodMs \(from XPAY_SESSION_PERIOD_MS\): "-1" is not allowed; expected number/,
    ],
    [
      { XPAY_SESSION_PERIOD_MS: ' ' },
      /option session.periodMs \(from XPAY_SESSION_PERIOD_MS\): " " is not allowed; expected number/,
    ],
  ])('%p is refused by the names of the option and the variable', (variables, message) => {
    expect(() => resolveIn(variables)).toThrow(message);
  });

  it.each(['XPAY_DIALECT', 'XPAY_BASE_URL', 'XPAY_VERIFICATION_PERIOD_MS', 'XPAY_SESSION_PERIOD_MS'])(
    'O17 · %s is refused without its value when the line of a .env goes on with other variables',
    (variable) => {
      const line = 'http://127.0.0.1:4010 XPAY_USERNAME=this-app XPAY_SECRET_KEY=key-61803';
      expect(() => resolveIn({ [variable]: line })).toThrow(/: \[redacted\] is not allowed; expected /);
    },
  );

  it('allows plain http to the hosts it names', () => {
    const variables = { XPAY_BASE_URL: 'http://xpay.internal:8080', XPAY_ALLOW_INSECURE_HOSTS: 'xpay.internal' };
    expect(resolveIn(variables).baseUrl).toBe('http://xpay.internal:8080');
  });
});

describe('explicit over environment over default', () => {
  const variables = {
    ...ACCOUNT,
    XPAY_BASE_URL: 'https://environment.example.test',
    XPAY_VERIFICATION_PERIOD_MS: '20000',
    XPAY_ALLOW_INSECURE_HOSTS: 'environment.example.test',
  };

  it('applies to each option separately, within a group too', () => {
    const explicit = { baseUrl: 'https://explicit.example.test', verification: { refusedPeriodMs: 1_000 } };
    const { baseUrl, verification } = resolveIn(variables, explicit);
    expect(baseUrl).toBe('https://explicit.example.test');
    expect(verification).toMatchObject({ periodMs: 20_000, refusedPeriodMs: 1_000, maxConcurrent: 64 });
    expect(resolveIn(variables, { verification: { periodMs: 7_000 } }).verification.periodMs).toBe(7_000);
  });

  it('ignores an explicit undefined, on either level', () => {
    const unsaid: object = {
      baseUrl: undefined,
      credentials: undefined,
      http: undefined,
      verification: { periodMs: undefined, refusedPeriodMs: undefined },
    };
    const { baseUrl, credentials, http, verification } = resolveIn(variables, unsaid);
    expect(baseUrl).toBe('https://environment.example.test');
    expect(credentials).toMatchObject({ username: 'app@example.test' });
    expect(http.allowInsecureHosts).toEqual(['environment.example.test']);
    expect(verification).toMatchObject({ periodMs: 20_000, refusedPeriodMs: 5_000 });
  });

  it.each(['XPAY_USERNAME', 'XPAY_SECRET_KEY'] as const)(
    'an explicit account takes precedence over %s alone',
    (present) => {
      const credentials = { username: 'other@example.test', secretKey: 'key-of-other-1' };
      const half = { [present]: ACCOUNT[present] };
      expect(accountOf(resolveIn(half, { credentials }))).toEqual(credentials);
      expect(resolveIn(half, { credentials: () => credentials }).credentials).toEqual(expect.any(Function));
    },
  );

  it('never combines an explicit account with the key of the environment', () => {
    const credentials = { username: 'other@example.test', secretKey: 'key-of-other-1' };
    expect(accountOf(resolveIn(variables, { credentials }))).toEqual(credentials);
  });
});

describe('the variables of an instance', () => {
  it('are none for a named instance', () => {
    const read = jest.fn<(name: string) => string | undefined>((name) => (ACCOUNT as Variables)[name]);
    expect(resolveOptions({}, { name: 'gift' }, read)).toMatchObject({ name: 'gift', credentials: undefined });
    expect(read).not.toHaveBeenCalled();
  });

  it('have only the envPrefix of a named instance', () => {
    const { baseUrl, credentials } = resolveIn(
      { ...ACCOUNT, GIFT_BASE_URL: 'https://gift.example.test' },
      { envPrefix: 'GIFT_' },
      { name: 'gift' },
    );
    expect({ baseUrl, credentials }).toEqual({ baseUrl: 'https://gift.example.test', credentials: undefined });
  });

  it('can have another prefix for the unnamed instance', () => {
    const { baseUrl, credentials } = resolveIn(
      { ...ACCOUNT, MY_BASE_URL: 'https://my.example.test' },
      { envPrefix: 'MY_' },
    );
    expect({ baseUrl, credentials }).toEqual({ baseUrl: 'https://my.example.test', credentials: undefined });
  });

  it('always have a prefix, so that the USERNAME of a shell is ignored', () => {
    expect(() => resolveIn({ USERNAME: 'root' }, { envPrefix: '' })).toThrow(/option envPrefix: ""/);
  });
});
