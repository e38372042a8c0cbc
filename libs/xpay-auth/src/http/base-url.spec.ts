import { describe, expect, it } from '@jest/globals';
import { flawOfBaseUrl, isLoopback, normalizeBaseUrl } from './base-url.js';

describe('where credentials may be sent', () => {
  it.each([
    'https://apis.xpay.stream',
    'https://apis.xpay.stream:8443/base',
    'http://localhost:3000',
    'http://127.0.0.1:3000',
    'http://127.8.9.10',
    'http://[::1]:3000',
    // One of the many spellings of 127.0.0.1, which the URL parser straightens.
    'http://127.1:3000',
  ])('%s is allowed', (url) => {
    expect(flawOfBaseUrl(url, [])).toBeUndefined();
  });

  it.each([
    ['http://apis.xpay.stream', /https:\/\/ URL/],
    ['http://localhost.evil.test', /https:\/\/ URL/],
    ['http://127.0.0.1.evil.test', /https:\/\/ URL/],
    ['http://0.0.0.0:3000', /https:\/\/ URL/],
    ['http://10.0.0.1', /https:\/\/ URL/],
    ['http://[::2]', /https:\/\/ URL/],
    ['ftp://localhost', /absolute http\(s\) URL/],
    ['file:///etc/passwd', /absolute http\(s\) URL/],
    ['//apis.xpay.stream', /absolute http\(s\) URL/],
    ['apis.xpay.stream', /absolute http\(s\) URL/],
    ['localhost:3000', /absolute http\(s\) URL/],
    ['', /absolute http\(s\) URL/],
    ['https://user@apis.xpay.stream', /without credentials/],
    ['https://user:key@apis.xpay.stream', /without credentials/],
    ['https://apis.xpay.stream?key=1', /without query/],
    ['https://apis.xpay.stream/#top', /without query and fragment/],
  ])('%s is refused, with what is allowed instead', (url, expected) => {
    expect(flawOfBaseUrl(url, [])).toMatch(expected);
  });

  it('plain http is allowed to a host that is named, and to no other host for its sake', () => {
    expect(flawOfBaseUrl('http://xpay.internal:8080', ['xpay.internal'])).toBeUndefined();
    expect(flawOfBaseUrl('http://other.internal:8080', ['xpay.internal'])).toBeDefined();
    expect(flawOfBaseUrl('http://a.xpay.internal', ['xpay.internal'])).toBeDefined();
  });

  it('a host name is compared as the URL parser spells it', () => {
    expect(flawOfBaseUrl('http://XPAY.internal', ['xpay.internal'])).toBeUndefined();
    expect(flawOfBaseUrl('http://xpay.internal', ['XPAY.internal'])).toBeUndefined();
  });
});

describe('the one spelling of a base URL', () => {
  it.each([
    ['https://apis.xpay.stream', 'https://apis.xpay.stream'],
    ['https://apis.xpay.stream/', 'https://apis.xpay.stream'],
    ['https://APIS.xpay.stream:443//', 'https://apis.xpay.stream'],
    ['https://apis.xpay.stream/base/', 'https://apis.xpay.stream/base'],
    ['http://127.1:3000', 'http://127.0.0.1:3000'],
  ])('%s is %s', (url, spelt) => {
    expect(normalizeBaseUrl(url)).toBe(spelt);
  });
});

describe('loopback', () => {
  it.each(['localhost', '127.0.0.1', '127.255.255.254', '[::1]'])('%s is this machine', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(['localhost.test', 'notlocalhost', '128.0.0.1', '127.0.0.1.test', '[::2]', '0.0.0.0', ''])(
    '%s is not known to be',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
