import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { operationAt, responseAt } from '../support/openapi.js';
import { startReferenceApp } from '../support/reference-app.js';
import { type RunningApp, platforms } from '../support/start-app.js';

describe.each(platforms)('/docs of the reference app on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  beforeAll(async () => {
    xpay = await startXPayEmulator();
    app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
  });
  afterAll(async () => {
    await app.stop();
    await xpay.stop();
  });

  const theDocument = async (): Promise<OpenAPIObject> =>
    (await app.fetch('/docs-json')).json() as Promise<OpenAPIObject>;

  it.each([
    ['/docs', 'text/html'],
    ['/docs/', 'text/html'],
    ['/docs/swagger-ui.css', 'text/css'],
    ['/docs/swagger-ui-bundle.js', 'javascript'],
    ['/docs/swagger-ui-init.js', 'javascript'],
    ['/docs-json', 'application/json'],
    ['/docs-yaml', 'text/yaml'],
  ])('%s is public', async (path, type) => {
    const answer = await app.fetch(path);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(1_000);
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([200, null]);
    expect(answer.headers.get('content-type')).toContain(type);
  });

  it('the page and the document are safe from framing, sniffing and foreign scripts', async () => {
    for (const path of ['/docs', '/docs/', '/docs/swagger-ui-init.js', '/docs-json', '/docs-yaml']) {
      const { headers } = await app.fetch(path);
      const sent = ['x-content-type-options', 'x-frame-options', 'referrer-policy'].map((name) => headers.get(name));
      expect([path, ...sent]).toEqual([path, 'nosniff', 'DENY', 'no-referrer']);
      const policy = headers.get('content-security-policy')?.split('; ');
      expect(policy).toEqual(
        expect.arrayContaining(["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]),
      );
    }
    expect((await app.fetch('/health')).headers.get('content-security-policy')).toBeNull();
  });

  it('GET / redirects to /docs', async () => {
    const { status, headers } = await app.fetch('/', { redirect: 'manual' });
    expect([status, headers.get('location')]).toEqual([302, '/docs']);
  });

  it('the page loads nothing from other hosts', async () => {
    const page = await (await app.fetch('/docs')).text();
    const sources = [...page.matchAll(/\s(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source);
    expect(sources.length).toBeGreaterThan(3);
    expect(sources.filter((source) => !source.startsWith('./docs/'))).toEqual([]);
  });

  it('has a requirement on every route except the public ones, with its scopes, and a summary for each', async () => {
    const document = await theDocument();
    const locks = Object.entries(document.paths).map(([path, item]) => {
      const [[method, { security = [] }] = ['', {}]] = Object.entries(item) as [
        string,
        OpenAPIObject['paths']['']['get'] & {},
      ][];
      return [
        `${method} ${path}`,
        security.flatMap((each) => Object.entries(each).map(([scheme, scopes]) => [scheme, ...scopes].join(' '))),
      ];
    });
    expect(Object.fromEntries(locks)).toEqual({
      'post /auth/login': [],
      'post /auth/logout': ['basic', 'bearer'],
      'get /health': [],
      'get /health/ready': [],
      'get /me': ['basic', 'bearer'],
      'get /user/report': ['basic tme_user', 'bearer tme_user'],
      'get /admin/report': ['basic tme_admin', 'bearer tme_admin'],
      'get /verify': ['basic', 'bearer'],
      'post /wallets/find': ['basic tme_user', 'bearer tme_user'],
      'post /app/wallets/find': ['basic tme_admin', 'bearer tme_admin'],
    });
    for (const [at] of locks) expect([at, operationAt(document, String(at)).summary]).toEqual([at, expect.any(String)]);
  });

  it('shows the body and the response of a login, and its failures', async () => {
    const document = await theDocument();
    expect(operationAt(document, 'post /auth/login').requestBody).toMatchObject({
      required: true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/LoginBody' } } },
    });
    expect(Object.keys(operationAt(document, 'post /auth/login').responses)).toEqual([
      '200',
      '400',
      '401',
      '429',
      '502',
      '503',
      '504',
    ]);
    expect(document.components?.schemas?.['LoginBody']).toMatchObject({ required: ['username', 'secretKey'] });
  });

  it('shows the query of /verify, and the headers of its responses', async () => {
    const document = await theDocument();
    expect(operationAt(document, 'get /verify').parameters).toMatchObject([
      { name: 'scope', in: 'query', required: false, schema: { type: 'array', items: { type: 'string' } } },
    ]);
    expect(Object.keys(responseAt(document, 'get /verify', 200)?.headers ?? {})).toContain('X-Auth-User');
    expect(responseAt(document, 'get /verify', 403)?.headers).toHaveProperty('WWW-Authenticate');
  });
});

describe('/docs of the reference app', () => {
  it('is absent with DOCS=off', async () => {
    await using xpay = await startXPayEmulator();
    for (const platform of platforms) {
      await using app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url }, undefined, false);
      for (const path of ['/', '/docs', '/docs-json', '/docs/swagger-ui.css']) {
        expect([path, (await app.fetch(path)).status]).toEqual([path, 404]);
      }
    }
  });
});
