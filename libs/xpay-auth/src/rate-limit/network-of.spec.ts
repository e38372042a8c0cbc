import { describe, expect, it } from '@jest/globals';
import { networkOf } from './client-address.js';

describe('the network of an address', () => {
  it('I5 · is itself for IPv4, however it is written', () => {
    const written = [
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '192.0.2.1:443',
      '[::ffff:192.0.2.1]:1',
    ];
    expect(new Set(written.map(networkOf))).toEqual(new Set(['192.0.2.1']));
    expect(networkOf('192.0.2.2')).not.toBe(networkOf('192.0.2.1'));
  });

  it('I5 · is the IPv4 address that an IPv6 address contains, however it is written', () => {
    const written = [
      '0:0:0:0:0:ffff:192.0.2.1',
      '0000:0000:0000:0000:0000:FFFF:C000:0201',
      '0::ffff:c000:201',
      '::0:ffff:192.0.2.1',
      '64:ff9b::192.0.2.1',
      '0064:FF9B:0:0:0:0:c000:0201',
    ];
    expect(new Set(written.map(networkOf))).toEqual(new Set(['192.0.2.1']));
    expect(networkOf('64:ff9b::c000:202')).toBe('192.0.2.2');
    expect(networkOf('64:ff9b:0:1::c000:202')).toBe('64:ff9b:0:1::/64');
    expect(networkOf('::fffe:192.0.2.1')).toBe('0:0:0:0::/64');
  });

  it('I5 · is its /64 for IPv6, however it is written', () => {
    const same = [
      '2001:db8::1',
      '2001:0DB8:0:0::ffff',
      '2001:db8:0:0:1:2:3:4',
      '[2001:db8::1]:443',
      '2001:db8::1%eth0',
    ];
    expect(new Set(same.map(networkOf))).toEqual(new Set(['2001:db8:0:0::/64']));
    expect(networkOf('2001:db8:0:1::1')).toBe('2001:db8:0:1::/64');
    expect(networkOf('::1')).toBe('0:0:0:0::/64');
    expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    expect(networkOf('2001:db8:1:2:3:4:192.0.2.1')).toBe('2001:db8:1:2::/64');
  });

  it('is what it is for anything else', () => {
    for (const text of ['', 'unknown', '/tmp/socket', 'a,b', '1.2.3', ':::'])
      expect(() => networkOf(text)).not.toThrow();
  });
});
