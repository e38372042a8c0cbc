import { describe, expect, it } from '@jest/globals';
import { ClientAddresses, addressOf } from './client-address.js';

const from = (peer: string, ip: string, headers: Record<string, string> = {}) =>
  addressOf({ headers, ip, socket: { remoteAddress: peer } });

describe('addressOf', () => {
  it('I5 · uses only the address that the platform reports', () => {
    expect(from('192.0.2.1', '192.0.2.1')).toEqual({ address: '192.0.2.1', untrustedProxy: false });
    expect(from('10.0.0.1', '192.0.2.9', { 'x-forwarded-for': '192.0.2.9' })).toEqual({
      address: '192.0.2.9',
      untrustedProxy: false,
    });
    expect(addressOf({ headers: {}, socket: { remoteAddress: '192.0.2.1' } }).address).toBe('192.0.2.1');
  });

  it('I5 · a forwarding header from a private address means an untrusted proxy, so the address is not counted', () => {
    for (const peer of [
      '127.0.0.1',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '::1',
      '::ffff:10.0.0.1',
      'fd00::1',
      '100.64.0.1',
      '100.127.255.254',
      '::ffff:a00:1',
      'fe80::1%eth0',
      'FEBF::1',
    ]) {
      expect(from(peer, peer, { 'x-forwarded-for': 'x' })).toEqual({ address: undefined, untrustedProxy: true });
      expect(from(peer, peer, { forwarded: 'for=x' }).untrustedProxy).toBe(true);
      expect(from(peer, peer)).toEqual({ address: peer, untrustedProxy: false });
    }
  });

  it('I5 · a trusted proxy may have a client at its own address', () => {
    const forwarded = {
      headers: { 'x-forwarded-for': '10.0.0.1' },
      ip: '10.0.0.1',
      socket: { remoteAddress: '10.0.0.1' },
    };
    const onExpress = (ips: string[]) => addressOf({ ...forwarded, ips }).untrustedProxy;
    const onFastify = (ips: string[]) => addressOf({ ...forwarded, ips, raw: {} }).untrustedProxy;
    expect([onExpress(['10.0.0.1']), onFastify(['10.0.0.1', '10.0.0.1'])]).toEqual([false, false]);
    expect([onExpress([]), onFastify(['10.0.0.1']), onFastify([])]).toEqual([true, true, true]);
  });

  it('I5 · a public address does not escape the counter by sending the header', () => {
    for (const peer of [
      '192.0.2.1',
      '172.32.0.1',
      '2001:db8::1',
      '11.0.0.1',
      '100.63.0.1',
      '100.128.0.1',
      '::ffff:11.0.0.1',
      'fec0::1%eth0',
    ]) {
      expect(from(peer, peer, { 'x-forwarded-for': '10.0.0.1' })).toEqual({ address: peer, untrustedProxy: false });
    }
  });

  it('D2 · a connection without a peer has the address unknown; with a forwarding header a Unix socket is a proxy', () => {
    const forwarded = { 'x-forwarded-for': '192.0.2.9' };
    const unknown = { address: 'unknown', untrustedProxy: false };
    const unixSocket = { destroyed: false };
    expect(addressOf({ headers: {}, socket: unixSocket })).toEqual(unknown);
    expect(addressOf({ headers: forwarded, socket: unixSocket })).toEqual({ address: undefined, untrustedProxy: true });
    for (const socket of [{ destroyed: true }, { destroyed: false, localAddress: '192.0.2.1' }, undefined]) {
      const request = socket && { socket };
      expect(addressOf({ headers: {}, ...request })).toEqual(unknown);
      expect(addressOf({ headers: forwarded, ...request })).toEqual(unknown);
    }
  });

  it('D2 · a message of a microservice is not counted by address', () => {
    const rpc = { data: undefined, context: {} };
    expect(addressOf({ headers: {}, rpc })).toEqual({ address: undefined, untrustedProxy: false });
  });
});

describe('ClientAddresses', () => {
  it('I5 · counts a private peer that has sent a request without a forwarding header, also when it sends the header later', () => {
    const addresses = new ClientAddresses();
    const forwarded = { 'x-forwarded-for': '192.0.2.9' };
    const at = (peer: string, headers = {}) => addresses.of({ headers, ip: peer, socket: { remoteAddress: peer } });
    const proxy = { address: undefined, untrustedProxy: true };
    expect(at('10.0.0.1', forwarded)).toEqual(proxy);
    at('10.0.0.1');
    expect(at('10.0.0.1', forwarded)).toEqual({ address: '10.0.0.1', untrustedProxy: false });
    expect(at('10.0.0.2', forwarded)).toEqual(proxy);
  });
});
