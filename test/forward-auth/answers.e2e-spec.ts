import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startCaddy } from '../support/caddy.js';
import { type EchoSite, startEchoSite } from '../support/echo-site.js';
import { startNginx } from '../support/nginx.js';
import type { RunningProxy } from '../support/proxy-program.js';
import { type Answered, type Asked, request } from '../support/request.js';

const CHALLENGE = 'Basic realm="xpay", Bearer realm="xpay"';
const ORIGIN = 'https://app.example.test';
const preflight = (origin: string) => ({
  method: 'OPTIONS',
  headers: {
    Origin: origin,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'authorization',
  },
});

/** Another instance of the app, which is down: nginx then tries the next one and sees two statuses. */
const SECOND_INSTANCE = { 'keepalive 32;': 'server 127.0.0.1:1 max_fails=0; keepalive 32;' };
const start = {
  nginx: (urls: { appUrl: string; siteUrl: string }) => startNginx({ ...urls, edits: SECOND_INSTANCE }),
  caddy: startCaddy,
};

/** Statuses that auth_request can distinguish and the configuration passes on. All others become a 500. */
const THROUGH_NGINX = [400, 401, 403, 429, 431, 502, 503, 504];
const expected = {
  nginx: (said: number) => ({
    status: THROUGH_NGINX.includes(said) ? said : 500,
    'retry-after': [401, 403].includes(said) ? [] : ['7'],
    'www-authenticate': [401, 403].includes(said) ? [CHALLENGE] : [],
  }),
  caddy: (status: number) => ({ status, 'retry-after': ['7'], 'www-authenticate': [CHALLENGE] }),
};

describe.each(['nginx', 'caddy'] as const)('%s maps a response of /verify', (program) => {
  const questions: IncomingMessage[] = [];
  let authority: Server;
  let site: EchoSite;
  let proxy: RunningProxy;
  beforeAll(async () => {
    authority = createServer((question, answer) => {
      questions.push(question);
      answer.statusCode = Number(question.headers['x-wanted'] ?? 401);
      answer.setHeader('www-authenticate', CHALLENGE).setHeader('retry-after', '7');
      answer.setHeader('x-auth-user', 'somebody').end();
    }).listen(0, '127.0.0.1');
    // After the default of 5 s, a slow test could reuse a connection while it is closed. nginx would then avoid this server.
    authority.keepAliveTimeout = 120_000;
    await once(authority, 'listening');
    site = await startEchoSite();
    const { port } = authority.address() as AddressInfo;
    proxy = await start[program]({ appUrl: `http://127.0.0.1:${port}`, siteUrl: site.url });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    authority.closeAllConnections();
    authority.close();
  });
  const ask = (asked: Omit<Asked, 'url'> = {}): Promise<Answered> => request({ url: `${proxy.url}/app/`, ...asked });

  it.each([200, 204])('%d: to the response of the site', async (said) => {
    const answer = await ask({ headers: { 'x-wanted': String(said) } });
    expect([answer.status, answer.all('retry-after'), answer.all('www-authenticate')]).toEqual([200, [], []]);
    expect(JSON.parse(answer.body)).toEqual(site.reached.at(-1));
  });

  it('200 without a header: does not pass on the header that the client sent', async () => {
    await ask({ headers: { 'X-Wanted': '200', 'X-Auth-Scopes': 'tme_admin' } });
    expect(site.reached.at(-1)?.lines.filter(([, value]) => value.includes('tme_admin'))).toEqual([]);
  });

  it.each([302, 304, 400, 401, 403, 404, 418, 429, 431, 500, 502, 503, 504])(
    '%d: to its own response, without calling the site',
    async (said) => {
      const before = site.reached.length;
      for (let i = 0; i < 4; i++) {
        const answer = await ask({ headers: { 'x-wanted': String(said) } });
        expect({
          status: answer.status,
          'retry-after': answer.all('retry-after'),
          'www-authenticate': answer.all('www-authenticate'),
        }).toEqual(expected[program](said));
      }
      expect(site.reached).toHaveLength(before);
    },
  );

  it('after calling /verify without the body, and with the true client address only', async () => {
    questions.length = 0;
    await ask({
      method: 'POST',
      body: 'x=1',
      from: '127.0.0.2',
      headers: { 'X-Wanted': '200', 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.1' },
    });
    expect(questions).toHaveLength(1);
    expect(questions[0]?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.2' });
    for (const name of ['content-length', 'transfer-encoding', 'forwarded']) {
      expect(questions[0]?.headers).not.toHaveProperty(name);
    }
    expect(questions[0]).toMatchObject({ method: 'GET', url: '/verify' });
  });

  describe('for a script of another origin', () => {
    it('a preflight is allowed without calling /verify, because it never has credentials', async () => {
      questions.length = 0;
      const answer = await ask(preflight(ORIGIN));
      expect([answer.status, answer.body]).toEqual([204, '']);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-allow-methods': expect.stringContaining('PUT'),
        'access-control-allow-headers': expect.stringContaining('authorization'),
        vary: 'Origin',
      });
      expect(questions).toHaveLength(0);
    });

    it.each([
      'https://evil.example.test',
      'https://app.example.test.evil.test',
      'http://app.example.test',
      'null',
      'HTTPS://app.example.test:8443',
    ])('a preflight from %s is allowed nothing', async (origin) => {
      const { status, headers } = await ask(preflight(origin));
      expect(status).toBe(204);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-allow'))).toEqual([]);
    });

    it.each<[string, Omit<Asked, 'url'>]>([
      ['OPTIONS alone', { method: 'OPTIONS' }],
      ['OPTIONS with only an origin', { method: 'OPTIONS', headers: { Origin: ORIGIN } }],
      ['OPTIONS with only a method', { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'PUT' } }],
      ['GET that looks like a preflight', { ...preflight(ORIGIN), method: 'GET' }],
    ])('%s is not a preflight, so /verify is called', async (_what, asked) => {
      questions.length = 0;
      expect((await ask(asked)).status).toBe(401);
      expect(questions).toHaveLength(1);
    });

    it.each([200, 400, 401, 403, 429, 503])('a %d is readable, with its headers', async (status) => {
      const { headers } = await ask({ headers: { Origin: ORIGIN, 'X-Wanted': String(status) } });
      expect(headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-expose-headers': 'WWW-Authenticate, Retry-After',
        vary: 'Origin',
      });
      expect(headers).not.toHaveProperty('access-control-allow-methods');
    });
  });
});
