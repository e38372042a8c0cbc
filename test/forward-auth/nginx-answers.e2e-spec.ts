import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startNginx } from '../support/nginx.js';
import type { RunningProxy } from '../support/proxy-program.js';
import { type Answered, type Asked, request } from '../support/request.js';

const CHALLENGE = 'Basic realm="xpay", Bearer realm="xpay"';

/** What the configuration makes of every answer that `/verify` may give, and of some that it never gives. */
describe('nginx makes of an answer of /verify', () => {
  const questions: IncomingMessage[] = [];
  let authority: Server;
  let nginx: RunningProxy;
  beforeAll(async () => {
    authority = createServer((question, answer) => {
      questions.push(question);
      answer.statusCode = Number(question.headers['x-wanted'] ?? 401);
      answer.setHeader('www-authenticate', CHALLENGE).setHeader('retry-after', '7');
      answer.setHeader('x-auth-user', 'somebody').end();
    }).listen(0, '127.0.0.1');
    await once(authority, 'listening');
    nginx = await startNginx({
      appUrl: `http://127.0.0.1:${(authority.address() as AddressInfo).port}`,
      edits: {
        // Another instance of the app, which is away: nginx asks the next, and then knows two statuses.
        'keepalive 32;': 'server 127.0.0.1:1 max_fails=0;\n keepalive 32;',
      },
    });
  });
  afterAll(async () => {
    await nginx[Symbol.asyncDispose]();
    authority.closeAllConnections();
    authority.close();
  });
  const ask = (asked: Omit<Asked, 'url'> = {}): Promise<Answered> => request({ url: `${nginx.url}/app/`, ...asked });

  it.each([
    [200, 200],
    [204, 200],
    [302, 500],
    [304, 500],
    [400, 400],
    [401, 401],
    [403, 403],
    [404, 500],
    [418, 500],
    [429, 429],
    [500, 500],
    [502, 502],
    [503, 503],
    [504, 504],
  ])('%d: %d', async (said, status) => {
    for (let i = 0; i < 4; i++) {
      const answer = await ask({ headers: { 'x-wanted': String(said) } });
      expect(answer.status).toBe(status);
      expect(answer.all('retry-after')).toEqual([200, 401, 403].includes(status) ? [] : ['7']);
      expect(answer.all('www-authenticate')).toEqual([401, 403].includes(status) ? [CHALLENGE] : []);
    }
  });

  it('a question without the body, and with the one address that is true', async () => {
    questions.length = 0;
    await ask({
      method: 'POST',
      body: 'x=1',
      from: '127.0.0.2',
      headers: { 'X-Wanted': '200', 'Content-Length': '3', 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.1' },
    });
    expect(questions).toHaveLength(1);
    expect(questions[0]?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.2' });
    for (const name of ['content-length', 'transfer-encoding', 'forwarded']) {
      expect(questions[0]?.headers).not.toHaveProperty(name);
    }
    expect(questions[0]).toMatchObject({ method: 'GET', url: '/verify' });
  });

  describe('to a script of another origin', () => {
    const ORIGIN = 'https://app.example.test';
    const preflight = (origin: string, extra: Record<string, string> = {}) => ({
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'authorization',
        ...extra,
      },
    });

    it('a preflight is allowed without a question: it never has credentials', async () => {
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
      ['OPTIONS with an origin alone', { method: 'OPTIONS', headers: { Origin: ORIGIN } }],
      ['OPTIONS with a method alone', { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'PUT' } }],
      ['GET that looks like one', { ...preflight(ORIGIN), method: 'GET' }],
    ])('%s is no preflight, and is asked about', async (_what, asked) => {
      questions.length = 0;
      expect((await ask(asked)).status).toBe(401);
      expect(questions).toHaveLength(1);
    });

    it.each([200, 400, 401, 403, 429, 503])('a %d can be read, with its headers', async (status) => {
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
