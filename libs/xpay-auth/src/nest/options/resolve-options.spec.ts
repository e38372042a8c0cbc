import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { XPayAuthError } from '../../core/errors.js';
import { xPay } from '../../dialects/xpay/xpay.dialect.js';
import { type ResolvedOptions, resolveOptions } from './resolve-options.js';

const nothing = (): undefined => undefined;

/** The options of an app that writes these, whatever the compiler thinks of them. */
const resolve = (options: object): ResolvedOptions => resolveOptions(options, {}, nothing);

function refusal(options: object): string {
  try {
    resolve(options);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(XPayAuthError);
    expect(thrown).toMatchObject({ code: 'configuration' });
    return inspect(thrown, { depth: Infinity, showHidden: true });
  }
  throw new Error('the options were accepted');
}

describe('options', () => {
  it('report all errors at once', () => {
    const message = refusal({ dialect: 'x', token: { warmUp: 1 }, colour: 'red' });
    expect(message).toMatch(/option dialect: "x"/);
    expect(message).toMatch(/option token\.warmUp: 1/);
    expect(message).toMatch(/option colour: there is no such option/);
  });

  it.each([
    [{ colour: 'red' }, 'colour'],
    [{ token: { refreshat: [0.1, 0.2] } }, 'token.refreshat'],
    [{ verification: { period: 5 } }, 'verification.period'],
    [{ attempts: { perAdress: { attempts: 1, windowMs: 1_000 } } }, 'attempts.perAdress'],
    [{ http: { agent: { ftp: {} } } }, 'http.agent.ftp'],
  ])('%p is no option, and says so by its path', (options, path) => {
    expect(refusal(options)).toContain(
      `XPayAuthModule option ${path}: there is no such option. Check its spelling and its group.`,
    );
  });

  it('keep accepted values unchanged', () => {
    const { token, attempts, scopeHierarchy } = resolve({
      token: { refreshAt: [0.5, 0.5], hardMarginMs: 0 },
      attempts: false,
      scopeHierarchy: { tme_admin: ['tme_user'] },
    });
    expect(token).toMatchObject({ refreshAt: [0.5, 0.5], hardMarginMs: 0 });
    expect(attempts).toBe(false);
    expect(scopeHierarchy).toEqual({ tme_admin: ['tme_user'] });
  });
});

describe('baseUrl', () => {
  it.each(['http://apis.xpay.stream', 'http://10.0.0.1:8080', 'http://localhost.evil.test'])(
    'B14 · plain http to %s stops the boot',
    (baseUrl) => {
      expect(refusal({ baseUrl })).toContain(
        `option baseUrl: "${baseUrl}" is not allowed; expected an https:// URL ` +
          '(http:// only for loopback and for hosts named in http.allowInsecureHosts or XPAY_ALLOW_INSECURE_HOSTS)',
      );
    },
  );

  it('is normalized', () => {
    expect(resolve({ baseUrl: 'https://XPAY.example.test:443/base/' }).baseUrl).toBe('https://xpay.example.test/base');
  });

  it.each(['https://app:key-7/@h.test', 'https://key-7@h.test', 'https://h.test?key=key-7', 'https://h.test#key-7'])(
    'O17 · is not printed where it may hold a secret: %s',
    (baseUrl) => {
      const message = refusal({ baseUrl });
      expect(message).toContain('option baseUrl: [redacted] is not allowed');
      expect(message).not.toContain('key-7');
    },
  );

  it('has no default in a dialect without one', () => {
    const { defaultBaseUrl: _none, ...homeless } = xPay();
    expect(refusal({ dialect: { ...homeless, name: 'homeless' } })).toContain(
      'option baseUrl: the dialect homeless has no default, so it must be set (XPAY_BASE_URL in the environment).',
    );
    expect(refusal({ dialect: 'password-login' })).toContain('password-login has no default');
  });
});

describe('credentials', () => {
  it('are read from a function for each login', async () => {
    let version = 0;
    const { credentials } = resolve({
      credentials: () => ({ username: 'app@example.test', secretKey: `key-${++version}` }),
    });
    const read = credentials as () => unknown;
    expect([await read(), await read()]).toEqual([
      { username: 'app@example.test', secretKey: 'key-1' },
      { username: 'app@example.test', secretKey: 'key-2' },
    ]);
  });

  it.each([
    [{ username: 'app-61803' }, 'credentials: [redacted] is not allowed; expected { username, secretKey }'],
    [{ username: 'app-61803', secretKey: '' }, 'credentials.secretKey: [redacted] is not allowed'],
    [{ username: 'app-61803', secretKey: 61803 }, 'credentials: [redacted] is not allowed'],
    [{ username: 'app-61803', password: 'key-61803' }, 'credentials: [redacted] is not allowed'],
    ['app:key-61803', 'credentials: [redacted] is not allowed'],
    [['app', 'key-61803'], 'credentials: [redacted] is not allowed'],
    [
      { username: 'app-61803', secretKey: 'key-61803\n' },
      'expected a user name and a secret without control characters',
    ],
    [{ username: '\ud800', secretKey: 'key-61803' }, 'expected a user name and a secret in well-formed Unicode'],
    [{ username: 'app', secretKey: '61803'.repeat(999) }, 'expected a user name and a secret of at most 4_096 bytes'],
  ])('O17 · %p is refused without a word of it', (credentials, says) => {
    const message = refusal({ credentials });
    expect(message).toContain(says);
    expect(message).not.toContain('61803');
  });
});

describe('an address in the place of an object', () => {
  it.each([
    [{ store: 'redis://:password-61803@127.0.0.1' }, 'option store: [redacted] is not allowed'],
    [{ http: { agent: { https: 'http://me:password-61803@proxy.example.test' } } }, 'http.agent.https: [redacted]'],
    [{ dialect: 'https://me:password-61803@example.test' }, 'option dialect: [redacted]'],
  ])('O17 · %p is refused without the password in it', (options, says) => {
    const message = refusal(options);
    expect(message).toContain(says);
    expect(message).not.toContain('61803');
  });
});

describe('scopeHierarchy', () => {
  it.each([
    [{ a: ['a'] }, 'a → a'],
    [{ a: ['b'], b: ['a'] }, 'a → b → a'],
    [{ root: ['a'], a: ['b'], b: ['c'], c: ['a'] }, 'a → b → c → a'],
  ])('%p runs in a circle, which stops the boot', (scopeHierarchy, circle) => {
    expect(refusal({ scopeHierarchy })).toContain(`scopeHierarchy runs in a circle: ${circle}.`);
  });

  it('can imply one scope in two ways', () => {
    const scopeHierarchy = { root: ['a', 'b'], a: ['c'], b: ['c'] };
    expect(resolve({ scopeHierarchy }).scopeHierarchy).toEqual(scopeHierarchy);
  });

  it.each([
    [{ tme_admin: ['tme user'] }, '"tme user"'],
    [{ tme_admin: 'tme_user' }, '"tme_user"'],
  ])('%p names what cannot be a scope or a list of them', (scopeHierarchy, shown) => {
    expect(refusal({ scopeHierarchy })).toMatch(new RegExp(`scopeHierarchy\\.tme_admin(\\.0)?: ${shown} is not`));
  });
});

describe('B13 · a dialect whose access token is a long-lived secret', () => {
  const dialect = { ...xPay(), name: 'long', accessTokenIsLongLivedSecret: true };

  it.each([{ token: 'upstream' }, { keepUpstreamToken: true }])('never returns it: session %p', (session) => {
    expect(refusal({ dialect, session })).toMatch(/option session\.\w+: .* not possible with long/);
  });

  it('is accepted otherwise', () => {
    expect(resolve({ dialect }).dialect.name).toBe('long');
  });
});
