import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startReferenceApp } from '../support/reference-app.js';
import { request } from '../support/request.js';
import { type RunningApp, basic, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user', 'reports:read'] };
const ODD = {
  username: 'odd@example.test',
  secretKey: 'key-of-odd-1',
  displayName: 'o€dd:na me,%0D%0A\u2028',
  scopes: ['tme_user', 'š', '\ud800', 'a,b', 'two words\r\nX-Auth-User: root@example.test'],
};
const NEWCOMER = { username: 'newcomer@example.test', secretKey: 'key-of-newcomer-1' };
const headers = basic(USER.username, USER.secretKey);
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT', 'PURGE'];

describe.each(platforms)('forward auth of the reference app on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  beforeAll(async () => {
    xpay = await startXPayEmulator({ accounts: [USER, ODD, NEWCOMER] });
    app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
  });
  afterAll(async () => {
    await app.stop();
    await xpay.stop();
  });

  it('accepts a valid caller and returns the username', async () => {
    const answer = await app.fetch('/verify', { headers });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
    expect(answer.headers.get('x-auth-user')).toBe('user%40example.test');
    expect(answer.headers.get('x-auth-scopes')).toBe('tme_user reports%3Aread');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('returns the caller for any username and scopes', async () => {
    const answer = await app.fetch('/verify', { headers: basic(ODD.username, ODD.secretKey) });
    expect(answer.status).toBe(200);
    expect(decodeURIComponent(answer.headers.get('x-auth-user') ?? '')).toBe(ODD.displayName);
    expect(answer.headers.get('x-auth-scopes')?.split(' ').map(decodeURIComponent)).toEqual([
      'tme_user',
      'š',
      '\ufffd',
      'a,b',
      'two words\r\nX-Auth-User: root@example.test',
    ]);
  });

  it('rejects an anonymous caller with a challenge, and rejects no caller because of an outage', async () => {
    const stranger = await app.fetch('/verify');
    expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('Basic realm="xpay"'),
    ]);
    await xpay.pause();
    const newcomer = await app.fetch('/verify', { headers: basic(NEWCOMER.username, NEWCOMER.secretKey) });
    expect(newcomer.status).toBe(503);
    await xpay.resume();
  });

  describe.each(METHODS)('responds to %s', (method) => {
    it.each(['/verify', '/verify/', '/verify/any/sub/path', '/verify/a?scope=tme_user'])('at %s', async (path) => {
      expect((await app.fetch(path, { method, headers })).status).toBe(200);
    });

    it('with 401 and 403 too', async () => {
      expect((await app.fetch('/verify/a', { method })).status).toBe(401);
      expect((await app.fetch('/verify/a?scope=tme_admin', { method, headers })).status).toBe(403);
    });
  });

  it.each([
    ['?scope=tme_user', 200],
    ['?scope=reports:read', 200],
    ['?scope=tme_user&scope=reports%3Aread', 200],
    ['?scope=tme_admin', 403],
    ['?scope=tme_user&scope=tme_admin', 403],
    ['?scope=TME_USER', 403],
    ['?scope=tme_use', 403],
    ['?', 200],
    ['?scope=', 400],
    ['?scope', 400],
    ['?scope=tme_user&scope=', 400],
    ['?scope=tme_user,reports:read', 400],
    ['?scope=tme_user%2Creports:read', 400],
    ['?scope=tme_user+reports:read', 400],
    ['?scope=tme_user%20reports:read', 400],
    ['?scope=%E2%82%AC', 400],
    ['?scope=tme_user%00', 400],
    ['?scope=%22', 400],
    ['?scopes=tme_user', 400],
    ['?Scope=tme_user', 400],
    ['?scope[]=tme_user', 400],
    ['?scope=tme_user&debug=1', 400],
    ['?x=1', 400],
  ])('%s is %d', async (query, status) => {
    expect((await app.fetch(`/verify${query}`, { headers })).status).toBe(status);
    expect((await app.fetch(`/verify/sub/path${query}`, { headers })).status).toBe(status);
  });

  it.each([['?scope=tme_user'], ['?scope=tme_admin'], ['?scope='], ['?scope=tme_user,tme_admin']])(
    'forbids caches to store the response to %s',
    async (query) => {
      expect((await app.fetch(`/verify${query}`, { headers })).headers.get('cache-control')).toBe('no-store');
    },
  );

  it.each([
    ['if-none-match', '*'],
    ['if-modified-since', 'Sun, 22 Nov 2026 18:20:30 GMT'],
    ['range', 'bytes=5-'],
    ['expect', '100-continue'],
    ['accept', 'text/html'],
    ['x-http-method-override', 'DELETE'],
  ])('ignores what the client sends to the site with %s: %s', async (name, value) => {
    const answer = await request({ url: `${app.url}/verify`, headers: { ...headers, [name]: value } });
    expect([answer.status, answer.headers['x-auth-user']]).toEqual([200, 'user%40example.test']);
  });

  it('names every required scope in a 403', async () => {
    const answer = await app.fetch('/verify?scope=tme_user&scope=tme_admin', { headers });
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="tme_user tme_admin"',
    );
  });

  describe('ignores the body of the original request:', () => {
    const types = [
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'text/xml',
      'no type',
    ];

    it.each(types)('none, with content-type %s', async (type) => {
      const init = { method: 'POST', headers: { ...headers, 'content-type': type } };
      expect((await app.fetch('/verify', init)).status).toBe(200);
    });

    it.each(types)('one that is not %s', async (type) => {
      const init = { method: 'POST', headers: { ...headers, 'content-type': type }, body: '{"cut off":' };
      expect((await app.fetch('/verify/a?scope=tme_user', init)).status).toBe(200);
    });

    it('one that is announced and never sent', async () => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
      const lines = [
        'POST /verify HTTP/1.1',
        'host: verify.example.test',
        `authorization: ${headers.authorization}`,
        'content-type: application/json',
        'content-length: 12',
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    });
  });

  it('does not affect the bodies of other routes', async () => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: USER.username, secretKey: USER.secretKey }),
    };
    expect((await app.fetch('/auth/login', init)).status).toBe(200);
  });
});
