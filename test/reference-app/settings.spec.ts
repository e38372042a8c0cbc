import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { settingsFrom } from '../../src/settings.js';

describe('the settings of the reference app', () => {
  it('are demo mode on loopback when nothing is configured', () => {
    expect(settingsFrom({ HOST: '0.0.0.0' })).toMatchObject({ demo: true, host: '127.0.0.1', port: 3000 });
    expect(settingsFrom({ XPAY_DIALECT: 'gift-stream' })).toMatchObject({ demo: true });
  });

  it.each(['XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL', 'XPAY_REDIS_URL'])('are not a demo with %s', (name) => {
    expect(settingsFrom({ [name]: 'x', HOST: '0.0.0.0' })).toMatchObject({ demo: false, host: '0.0.0.0' });
  });

  it('serve /docs unless DOCS=off, in production too', () => {
    const production = { NODE_ENV: 'production', XPAY_BASE_URL: 'https://xpay.example.test' };
    expect([settingsFrom({}).docs, settingsFrom(production).docs]).toEqual([true, true]);
    expect(settingsFrom({ ...production, DOCS: 'off' }).docs).toBe(false);
  });

  it('serve /status unless STATUS=off', () => {
    expect([settingsFrom({}).status, settingsFrom({ STATUS: 'on' }).status]).toEqual([true, true]);
    expect(settingsFrom({ STATUS: 'off' }).status).toBe(false);
  });

  it('start the demo traffic with --traffic, in demo mode only', () => {
    expect([settingsFrom({}).traffic, settingsFrom({}, ['--traffic']).traffic]).toEqual([false, true]);
    expect(() => settingsFrom({ XPAY_BASE_URL: 'https://x.test' }, ['--traffic'])).toThrow(/--traffic: .* demo mode/);
    expect(() => settingsFrom({}, ['--trafic'])).toThrow(/--trafic/);
  });

  it('enable metrics only with METRICS_PORT, on loopback unless configured, and always in demo mode', () => {
    const configured = { XPAY_BASE_URL: 'https://x.test' };
    expect(settingsFrom({ METRICS_HOST: '0.0.0.0' }).metrics).toBeUndefined();
    expect(settingsFrom({ ...configured, METRICS_PORT: '9464' }).metrics).toEqual({ host: '127.0.0.1', port: 9464 });
    const open = { METRICS_PORT: '9464', METRICS_HOST: '0.0.0.0' };
    expect(settingsFrom({ ...configured, ...open }).metrics).toEqual({ host: '0.0.0.0', port: 9464 });
    expect(settingsFrom(open).metrics).toEqual({ host: '127.0.0.1', port: 9464 });
  });

  it.each(['loopback', 'linklocal, uniquelocal', '10.0.0.1', '172.16.0.0/12,fd00::/8 , ::1', '10.0.0.0/255.0.0.0'])(
    'trust the proxies %s, which both platforms accept',
    (list) => {
      expect(settingsFrom({ TRUST_PROXY: list }).trustProxy).toBe(list);
      expect(() => new ExpressAdapter().set('trust proxy', list)).not.toThrow();
      expect(() => new FastifyAdapter({ trustProxy: list })).not.toThrow();
    },
  );

  it.each<[Record<string, string>, RegExp]>([
    [{ NODE_ENV: 'production' }, /NODE_ENV is production and nothing is configured/],
    [{ NODE_ENV: 'Production' }, /nothing is configured/],
    [{ XPAY_USER: 'ada' }, /XPAY_USER: no such variable\. There are XPAY_USERNAME/],
    [{ PORT: '70000' }, /PORT: 70000 is no port/],
    [{ METRICS_PORT: '70000' }, /METRICS_PORT: 70000 is no port/],
    [{ METRICS_PORT: '0' }, /METRICS_PORT: 0 is no port for metrics/],
    [{ PLATFORM: 'koa' }, /PLATFORM: koa/],
    [{ DOCS: 'no' }, /DOCS: no is neither "on" nor "off"/],
    [{ STATUS: 'no' }, /STATUS: no is neither "on" nor "off"/],
    [{ TRUST_PROXY: 'true' }, /TRUST_PROXY: true is no list of addresses/],
    [{ TRUST_PROXY: '1' }, /TRUST_PROXY: 1 is no list of addresses/],
    [{ TRUST_PROXY: 'foo' }, /TRUST_PROXY: foo is no list of addresses, such as "loopback, 10\.0\.0\.0\/8"/],
    [{ TRUST_PROXY: 'loopback, 10.0.0.0/33' }, /TRUST_PROXY: loopback, 10\.0\.0\.0\/33 is no list/],
    [{ TRUST_PROXY: 'loopback,,10.0.0.1' }, /TRUST_PROXY: loopback,,10\.0\.0\.1 is no list/],
    [{ TRUST_PROXY: '::1/129' }, /TRUST_PROXY: ::1\/129 is no list/],
    [{ TRUST_PROXY: '10.0.0.0/255.0.255.0' }, /TRUST_PROXY: 10\.0\.0\.0\/255\.0\.255\.0 is no list/],
    [{ TRUST_PROXY: '10.0.0.0/0.0.0.0' }, /TRUST_PROXY: 10\.0\.0\.0\/0\.0\.0\.0 is no list/],
    [{ TRUST_PROXY: '10.0.0.0/0' }, /TRUST_PROXY: 10\.0\.0\.0\/0 is no list/],
    [{ TRUST_PROXY: '::ffff:0:0/96' }, /TRUST_PROXY: ::ffff:0:0\/96 is no list/],
  ])('%p stop the boot', (environment, message) => {
    expect(() => settingsFrom(environment)).toThrow(message);
  });
});
