import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { HeldRequest, takeOff, wholeRequest } from './held-request.js';

const SECRET = 'Basic c2VjcmV0OnNlY3JldA==';
const request = () => ({
  headers: { host: 'example.test', authorization: SECRET } as Record<string, string>,
  rawHeaders: ['Host', 'example.test', 'Authorization', SECRET],
  socket: { remoteAddress: '192.0.2.1' },
  ip: '198.51.100.1',
});

describe('a held request', () => {
  it('keeps the headers of the request, and removes Authorization from the request', () => {
    const given = request();
    const held = takeOff(given);
    expect([held.headers.authorization, held.rawHeaders.length, held.ip]).toEqual([SECRET, 4, '198.51.100.1']);
    expect([given.headers, given.rawHeaders]).toEqual([{ host: 'example.test' }, ['Host', 'example.test']]);
    expect([takeOff(given), wholeRequest(given)]).toEqual([held, held]);
    expect(wholeRequest(request())).not.toBe(held);
  });

  it('keeps both Authorization lines, and removes both from the request', () => {
    const given = request();
    given.rawHeaders.push('authorization', 'Bearer other');
    const held = takeOff(given);
    expect(given.rawHeaders).toEqual(['Host', 'example.test']);
    expect(held.rawHeaders.filter((line) => line.toLowerCase() === 'authorization')).toHaveLength(2);
  });

  it('keeps the first Authorization header, and adds a raw line for each additional one', () => {
    const held = new HeldRequest(request()).with(['Bearer a', 'Bearer b'], { auth: {}, url: '/' });
    expect(held.headers.authorization).toBe(SECRET);
    expect(held.rawHeaders.filter((line) => line.toLowerCase() === 'authorization')).toHaveLength(3);
  });

  it('O17 · does not print', () => {
    const held = new HeldRequest(request(), { auth: { token: SECRET }, url: `/?${SECRET}` });
    const printed = [
      inspect(held, { depth: 9, showHidden: true }),
      JSON.stringify({ held }),
      Object.prototype.toString.call(held),
    ].join('\n');
    expect(printed).not.toContain(SECRET);
  });
});
