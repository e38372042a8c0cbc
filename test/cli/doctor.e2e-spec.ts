import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startGiftStreamEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { runCommand } from '../support/command-line.js';

const APP = { username: 'app@example.test', secretKey: 'correct-horse-battery' };

let upstream: XPayEmulator;

beforeEach(async () => {
  upstream = await startXPayEmulator({ accounts: [APP] });
});

afterEach(() => upstream.stop());

const environment = () => ({
  XPAY_USERNAME: APP.username,
  XPAY_SECRET_KEY: APP.secretKey,
  XPAY_BASE_URL: upstream.url,
});
const doctor = (...args: string[]) => runCommand(['doctor', '--json', ...args], { env: environment() });

describe('doctor', () => {
  it('finds no failure in a correct environment, and exits with 0', async () => {
    const { code, json } = await doctor();
    expect(code).toBe(0);
    expect(json.findings.filter(({ status }) => status !== 'ok')).toEqual([
      expect.objectContaining({ check: 'package', message: expect.stringContaining('is not installed in') }),
    ]);
    const checks = [
      'node',
      'peers',
      'environment',
      'proxy',
      'options',
      'dns',
      'tls',
      'upstream',
      'clock',
      'account',
      'redis',
    ];
    expect(json.findings.map(({ check }) => check)).toEqual(expect.arrayContaining(checks));
  });

  it('shows each option with its value and its source, and secrets redacted', async () => {
    const { json } = await runCommand(['doctor', '--json'], {
      env: { XPAY_BASE_URL: upstream.url },
      files: {
        '.env': `XPAY_USERNAME=${APP.username}\nXPAY_SECRET_KEY=${APP.secretKey}\nXPAY_BASE_URL=http://unused.test`,
      },
    });
    expect(json.options?.slice(0, 3)).toEqual([
      { option: 'credentials.username', value: `"${APP.username}"`, source: 'XPAY_USERNAME, from .env' },
      { option: 'credentials.secretKey', value: '"[redacted]"', source: 'XPAY_SECRET_KEY, from .env' },
      { option: 'baseUrl', value: `"${upstream.url}"`, source: 'XPAY_BASE_URL, from the environment' },
    ]);
    expect(json.options).toContainEqual({ option: 'session.periodMs', value: '43200000', source: 'default' });
  });

  it('sends no credentials unless --login is set, and then logs in once', async () => {
    const { of } = await doctor();
    expect(of('account')).toEqual([
      expect.objectContaining({ status: 'ok', message: expect.stringContaining('--login') }),
    ]);
    expect(upstream.ledger.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /']);
    const tried = await doctor('--login');
    expect(tried.of('account')).toEqual([
      expect.objectContaining({ status: 'ok', message: expect.stringContaining(`Logged in as ${APP.username}`) }),
    ]);
    expect(upstream.requests('/client/authenticate')).toBe(1);
  });

  it('reports a rejected app account, and what to do about it', async () => {
    upstream.setSecret(APP.username, 'another-secret-key');
    const { code, of } = await doctor('--login');
    expect(code).toBe(1);
    expect(of('account')).toEqual([
      {
        check: 'account',
        status: 'failure',
        message: 'invalid_credentials: The upstream refused the credentials',
        fix: expect.stringContaining('Check the username and the secret key'),
      },
    ]);
  });

  it.each([
    ['rateLimited', 'upstream_rate_limited', 'Wait'],
    ['unavailable', 'upstream_unavailable', 'status page'],
    ['notJson', 'upstream_malformed', 'dialect'],
    ['reset', 'upstream_unavailable', 'network'],
  ] as const)('reports a login that fails by %s as %s', async (kind, code, fix) => {
    upstream.faults.always({ kind }, { path: '/client/authenticate' });
    const { of } = await doctor('--login');
    expect(of('account')).toEqual([
      expect.objectContaining({
        status: 'failure',
        message: expect.stringContaining(code),
        fix: expect.stringContaining(fix),
      }),
    ]);
  });

  it('reports an unreachable upstream once, and then does not try the app account', async () => {
    await upstream.stop();
    const { code, of } = await doctor('--login');
    expect(code).toBe(1);
    expect(of('upstream')).toEqual([
      expect.objectContaining({
        status: 'failure',
        message: expect.stringContaining('ECONNREFUSED'),
        fix: expect.any(String),
      }),
    ]);
    expect(of('account')).toEqual([]);
  });

  it('reports a host name that cannot be resolved', async () => {
    const { code, of } = await runCommand(['doctor', '--json'], {
      env: { XPAY_BASE_URL: 'https://no-such-host.invalid' },
    });
    expect(code).toBe(1);
    expect(of('dns')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('no-such-host.invalid') }),
    ]);
  });

  it('shows the addresses of a host name', async () => {
    const env = { XPAY_BASE_URL: upstream.url.replace('127.0.0.1', 'localhost') };
    const { of } = await runCommand(['doctor', '--json'], { env });
    expect(of('dns')).toEqual([
      expect.objectContaining({ status: 'ok', message: expect.stringMatching(/localhost.*127\.0\.0\.1/) }),
    ]);
  });

  it.each([
    [90_000, 'warning', /(89|90) s ahead of .*precision 1 s/],
    [-90_000, 'warning', /(89|90|91) s behind .*precision 1 s/],
    [0, 'ok', /agree within 2 s \(precision 1 s\)/],
  ])('reports a clock of the upstream that is off by %i ms as %s', async (skewMs, status, message) => {
    upstream.clockSkewMs = skewMs;
    const { of } = await doctor();
    expect(of('clock')).toEqual([expect.objectContaining({ status, message: expect.stringMatching(message) })]);
  });

  it('reports an upstream without a Date header, and a redirect to another host', async () => {
    upstream.dateHeader = false;
    upstream.faults.always({ kind: 'redirect', location: 'https://www.example.test/' }, { path: '/' });
    const { code, of } = await doctor();
    expect(code).toBe(0);
    expect(of('clock')).toEqual([
      expect.objectContaining({ status: 'warning', message: expect.stringContaining('no Date') }),
    ]);
    expect(of('upstream')).toEqual([
      expect.objectContaining({ status: 'warning', fix: expect.stringContaining('follows no redirects') }),
    ]);
  });

  it('warns of an upstream without TLS that is not on this machine', async () => {
    const env = { XPAY_BASE_URL: 'http://no-such-host.invalid', XPAY_ALLOW_INSECURE_HOSTS: 'no-such-host.invalid' };
    const { of } = await runCommand(['doctor', '--json'], { env });
    expect(of('dns')).toEqual([expect.objectContaining({ status: 'failure' })]);
    const onLoopback = await runCommand(['doctor', '--json'], {
      env: { XPAY_BASE_URL: upstream.url, XPAY_ALLOW_INSECURE_HOSTS: '127.0.0.1' },
    });
    expect(onLoopback.of('tls')).toEqual([
      expect.objectContaining({ status: 'warning', message: expect.stringContaining('without TLS') }),
    ]);
  });

  it('names the variable of an invalid option, and the variables that the library does not read', async () => {
    const env = {
      ...environment(),
      XPAY_DIALECT: 'smoke-signals',
      XPAY_SECRETKEY: 'misspelt-secret',
      XPAY_GIFT_USERNAME: 'x',
    };
    const { code, of } = await runCommand(['doctor', '--json'], { env, secrets: ['misspelt-secret'] });
    expect(code).toBe(1);
    expect(of('options')).toEqual([
      expect.objectContaining({
        status: 'failure',
        message: expect.stringMatching(/dialect \(from XPAY_DIALECT\).*expected 'xpay'/),
      }),
    ]);
    expect(of('environment')).toContainEqual(
      expect.objectContaining({ status: 'warning', message: 'The library does not read XPAY_SECRETKEY' }),
    );
  });

  it('reports a variable that lacks its partner', async () => {
    const { of } = await runCommand(['doctor', '--json'], { env: { XPAY_SECRET_KEY: APP.secretKey } });
    expect(of('options')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('no XPAY_USERNAME. Set both') }),
    ]);
  });

  it('reads the files of --env-file-path, of which the first takes precedence', async () => {
    const files = {
      'one.env': `XPAY_BASE_URL=${upstream.url}`,
      'two.env': 'XPAY_BASE_URL=http://127.0.0.1:9\nXPAY_USERNAME=from-two\nXPAY_SECRET_KEY="quoted # secret"',
    };
    const { json } = await runCommand(['doctor', '--json', '--env-file-path', 'one.env', '--env-file-path=two.env'], {
      files,
      secrets: ['quoted # secret'],
    });
    const sources = Object.fromEntries(json.options?.map(({ option, source }) => [option, source]) ?? []);
    expect(sources).toMatchObject({
      baseUrl: 'XPAY_BASE_URL, from one.env',
      'credentials.username': 'XPAY_USERNAME, from two.env',
    });
  });

  it('reports an env file that does not exist, or that cannot be read', async () => {
    const settings = { env: environment(), files: { 'folder.env/a': '' } };
    const { of } = await runCommand(
      ['doctor', '--json', '--env-file-path', 'none.env', '--env-file-path', 'folder.env'],
      settings,
    );
    expect(of('environment').map(({ status, message }) => [status, message])).toEqual([
      ['failure', 'none.env does not exist'],
      ['failure', 'folder.env cannot be read (EISDIR)'],
    ]);
  });

  it('reads the variables of a named instance by its prefix, as forRoot does', async () => {
    await using gift = await startGiftStreamEmulator({ accounts: [APP] });
    const env = {
      GIFT_BASE_URL: gift.url,
      GIFT_DIALECT: 'gift-stream',
      GIFT_USERNAME: APP.username,
      GIFT_SECRET_KEY: APP.secretKey,
    };
    const { json, of } = await runCommand(['doctor', '--json', '--name', 'gift', '--prefix', 'GIFT_', '--login'], {
      env,
    });
    expect(json.options).toContainEqual({
      option: 'dialect',
      value: '"gift-stream"',
      source: 'GIFT_DIALECT, from the environment',
    });
    expect(json.options).toContainEqual({ option: 'name', value: '"gift"', source: '--name' });
    expect(of('account')).toEqual([
      expect.objectContaining({ status: 'ok', message: expect.stringContaining('Logged in') }),
    ]);
    const without = await runCommand(['doctor', '--json', '--name', 'gift'], { env: environment() });
    expect(without.json.options).toContainEqual({
      option: 'credentials.username',
      value: 'not set',
      source: 'default',
    });
  });

  it('hides secrets that the upstream repeats, and removes control characters', async () => {
    upstream.faults.always(
      {
        kind: 'transform',
        transform: (body) => {
          const { success } = body as { success: { data: { access_token: string; user: object } } };
          const scopes = [APP.secretKey, success.data.access_token, '\u001b[31mred', 'a\nfailure  dns'];
          return { success: { ...success, data: { ...success.data, user: { username: APP.username, scopes } } } };
        },
      },
      { path: '/client/authenticate' },
    );
    const { of } = await doctor('--login');
    expect(of('account')[0]?.message).toContain('with the scopes [redacted] [redacted]  [31mred a failure  dns');
  });
});

describe('doctor: trusted proxies', () => {
  it.each([
    ['loopback, 10.0.0.0/8', 'ok', 'Trusts 127.0.0.1/8, ::1/128, 10.0.0.0/8'],
    ['192.0.2.7', 'ok', 'Trusts 192.0.2.7'],
    ['true', 'warning', 'trusts every peer'],
    ['10.0.0.1, 0.0.0.0/0', 'warning', 'trusts every peer'],
    ['::/0', 'warning', 'trusts every peer'],
    ['192.0.2.7/0', 'warning', 'trusts every peer'],
    ['fd00::/0', 'warning', 'trusts every peer'],
    ['10.0.0.0/255.0.0.0', 'ok', 'Trusts 10.0.0.0/255.0.0.0'],
    ['10.0.0.0/255.0.255.0', 'failure', '"10.0.0.0/255.0.255.0" is not an address'],
    ['::1/255.0.0.0', 'failure', '"::1/255.0.0.0" is not an address'],
    ['constructor', 'failure', '"constructor" is not an address'],
    ['loopback, toString', 'failure', '"toString" is not an address'],
    ['1', 'warning', 'trusts a number of hops'],
    ['10.0.0.0/33', 'failure', '"10.0.0.0/33" is not an address'],
    ['my-proxy', 'failure', '"my-proxy" is not an address'],
  ])('TRUST_PROXY=%s is %s', async (value, status, message) => {
    const expected = [expect.objectContaining({ status, message: expect.stringContaining(message) })];
    const { of } = await runCommand(['doctor', '--json'], { env: { ...environment(), TRUST_PROXY: value } });
    expect(of('proxy')).toEqual(expected);
    const byFlag = await runCommand(['doctor', '--json', '--trust-proxy', value], { env: environment() });
    expect(byFlag.of('proxy')).toEqual(expected);
  });
});

const installed = (name: string, version: string) => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({ name, version, exports: {} }),
});

const inApp = async (...packages: (readonly [string, string])[]) => {
  const files = Object.assign({}, ...packages.map(([name, version]) => installed(name, version))) as Record<
    string,
    string
  >;
  return runCommand(['doctor', '--json'], { env: environment(), files });
};

describe('doctor: packages', () => {
  it('reports a peer that is not in the range, with the command that installs another version', async () => {
    const { code, of } = await inApp(['@nestjs/common', '10.4.1'], ['ioredis', '4.28.5']);
    expect(code).toBe(1);
    expect(of('peers').filter(({ status }) => status === 'failure')).toEqual([
      {
        check: 'peers',
        status: 'failure',
        message: '@nestjs/common 10.4.1 is not in the range ^11.1.0 || ^12.0.0 of nestjs-xpay-auth',
        fix: 'Run: npm install "@nestjs/common@^11.1.0 || ^12.0.0"',
      },
      expect.objectContaining({ message: expect.stringContaining('ioredis 4.28.5') }),
    ]);
  });

  it('warns if the app has another version of the library', async () => {
    const { code, of } = await inApp(['nestjs-xpay-auth', '0.0.1']);
    expect(code).toBe(0);
    expect(of('package')).toEqual([
      expect.objectContaining({ status: 'warning', message: expect.stringMatching(/the app has 0\.0\.1/) }),
    ]);
  });
});
