import { describe, expect, it } from '@jest/globals';
import { authorizationOf, isFromScript, soleAuthorizationOf, stripCredentials } from './caller-reader.js';

describe('an incoming request', () => {
  it('I9 · one Authorization line is read, two are not', () => {
    const one = { headers: { authorization: 'a' }, rawHeaders: ['Authorization', 'a', 'X', 'authorization'] };
    expect([authorizationOf(one), soleAuthorizationOf(one)]).toEqual(['a', 'a']);
    const two = { headers: { authorization: 'a' }, raw: { rawHeaders: ['authorization', 'a', 'AUTHORIZATION', 'b'] } };
    expect(soleAuthorizationOf(two)).toBeUndefined();
    expect(() => authorizationOf(two)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(authorizationOf({ headers: {} })).toBeUndefined();
  });

  it('stripping leaves no trace of the line, and the others alone', () => {
    const request = {
      headers: { authorization: 'a', host: 'h' },
      rawHeaders: ['Host', 'h', 'Authorization', 'a', 'X', 'y'],
    };
    stripCredentials(request);
    expect(request).toEqual({ headers: { host: 'h' }, rawHeaders: ['Host', 'h', 'X', 'y'] });
    stripCredentials(request);
    expect(request.rawHeaders).toEqual(['Host', 'h', 'X', 'y']);
  });

  it('stripping also removes a line from headers that the app set on the request of Fastify', () => {
    let own: Record<string, unknown> = { authorization: 'a', 'x-tenant': 't' };
    const request = {
      raw: { headers: { authorization: 'a', host: 'h' }, rawHeaders: ['Host', 'h', 'Authorization', 'a'] },
      get headers() {
        return { ...this.raw.headers, ...own };
      },
      set headers(headers) {
        own = headers;
      },
    };
    stripCredentials(request);
    expect(request.headers).toEqual({ host: 'h', 'x-tenant': 't' });
  });

  it('I7 · a script says so by Fetch Metadata', () => {
    const answers = ['empty', 'document'].map((dest) => isFromScript({ headers: { 'sec-fetch-dest': dest } }));
    expect([...answers, isFromScript({ headers: {} })]).toEqual([true, false, false]);
  });
});
