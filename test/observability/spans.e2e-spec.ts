import { describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { XPayAuthModule, XPayHttpService, XPaySessionService, getXPayInjectionToken } from 'nestjs-xpay-auth';
import { MemoryStore, startGiftStreamEmulator } from 'nestjs-xpay-auth/testing';
import { ada, asAda, wrong } from '../support/inbound-app.js';
import { bearer } from '../support/start-app.js';
import { until } from '../support/until.js';
import { APP, HOUR_MS, hasFailed, startObserved } from './observed-app.js';

const LOGIN = 'POST /client/authenticate';
const FIND = 'POST /client/wallets/find';

const told = ({ attributes }: ReadableSpan): Record<string, unknown> => ({ ...attributes });

describe('spans', () => {
  it('nest a verification in the request, and its upstream call in the verification', async () => {
    await using app = await startObserved('express');
    expect(await app.status('/me', asAda)).toBe(200);
    const asked = app.spans.one(LOGIN);
    expect(app.spans.pathOf(asked)).toEqual([LOGIN, 'xpay_auth.verify', 'GET /me']);
    expect(asked.kind).toBe(SpanKind.CLIENT);
    expect(told(asked)).toEqual({
      'xpay_auth.instance': 'default',
      'xpay_auth.dialect': 'xpay',
      'http.request.method': 'POST',
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(app.xpay.url).port),
      'url.path': '/client/authenticate',
      'url.template': '/client/authenticate',
      'http.response.status_code': 200,
    });
    const verified = app.spans.one('xpay_auth.verify');
    expect(verified.kind).toBe(SpanKind.INTERNAL);
    expect(told(verified)).toEqual({
      'xpay_auth.instance': 'default',
      'xpay_auth.scheme': 'Basic',
      'xpay_auth.outcome': 'ok',
    });
    expect(app.spans.all.some(hasFailed)).toBe(false);
  });

  it("have no error status for a rejection, because the fault is the caller's", async () => {
    await using app = await startObserved('express');
    expect(await app.status('/me', wrong())).toBe(401);
    const verified = app.spans.one('xpay_auth.verify');
    expect(told(verified)).toMatchObject({ 'xpay_auth.outcome': 'invalid_credentials' });
    expect(told(verified)).not.toHaveProperty(['error.type']);
    expect(app.spans.all.some(hasFailed)).toBe(false);
  });

  it('state the status of the failed response, or the reason why there was none', async () => {
    await using app = await startObserved('express');
    app.xpay.faults.next({ kind: 'unavailable' });
    expect(await app.status('/me', asAda)).toBe(503);
    expect(told(app.spans.one(LOGIN))).toMatchObject({ 'http.response.status_code': 503, 'error.type': '503' });
    expect(told(app.spans.one('xpay_auth.verify'))).toMatchObject({
      'xpay_auth.outcome': 'upstream_unavailable',
      'error.type': 'upstream_unavailable',
    });
    expect(app.spans.all.filter(hasFailed).map(({ name }) => name)).toEqual([LOGIN, 'xpay_auth.verify']);

    app.spans.reset();
    app.xpay.faults.next({ kind: 'reset' }, { times: 2 });
    expect(await app.status('/me', asAda)).toBe(503);
    const [asked] = app.spans.all;
    expect(asked && told(asked)).toMatchObject({ 'error.type': 'upstream_unavailable' });
    expect(asked && told(asked)).not.toHaveProperty(['http.response.status_code']);
  });

  it('nest the renewal, the calls and the repetition in the API call', async () => {
    await using app = await startObserved('fastify');
    app.xpay.faults.next({ kind: 'status', status: 401 }, { path: '/client/wallets/find' });
    await app.spans.within('a job', () => app.http.post('/client/wallets/find'));
    expect(app.spans.names()).toEqual([
      LOGIN,
      'xpay_auth.token.renew',
      FIND,
      LOGIN,
      'xpay_auth.token.renew',
      FIND,
      'xpay_auth.api.call',
      'a job',
    ]);
    const [login, , rejected, , , repeated] = app.spans.all;
    const call = ['xpay_auth.api.call', 'a job'];
    expect(login && app.spans.pathOf(login)).toEqual([LOGIN, 'xpay_auth.token.renew', ...call]);
    expect(repeated && app.spans.pathOf(repeated)).toEqual([FIND, ...call]);
    expect(rejected && told(rejected)).toMatchObject({ 'http.response.status_code': 401, 'error.type': '401' });
    expect(told(app.spans.one('xpay_auth.api.call'))).toMatchObject({ 'xpay_auth.outcome': 'ok' });
  });

  it('O6 · put a background renewal below the caller who started it, and delay no caller', async () => {
    await using app = await startObserved('fastify');
    await app.tokens.getToken();
    await app.clock.advance(0.8 * HOUR_MS);
    app.spans.reset();
    await app.spans.within('a job', () => app.tokens.getToken());
    await until(() => app.spans.names().includes('xpay_auth.token.renew'), 'renewed');
    expect(app.spans.names()).toEqual(['a job', LOGIN, 'xpay_auth.token.renew']);
    expect(app.spans.pathOf(app.spans.one(LOGIN))).toEqual([LOGIN, 'xpay_auth.token.renew', 'a job']);
  });

  it('O7 · have no error status for a call that its caller aborted', async () => {
    await using app = await startObserved('fastify');
    await app.tokens.getToken();
    app.xpay.faults.next({ kind: 'hang' });
    const leaving = new AbortController();
    const call = app.http.post('/client/wallets/find', {}, { signal: leaving.signal });
    await app.xpay.waitForRequests(2);
    leaving.abort(new Error('left'));
    await expect(call).rejects.toThrow('left');
    expect(told(app.spans.one('xpay_auth.api.call'))).toMatchObject({ 'xpay_auth.outcome': 'aborted' });
    expect(app.spans.all.some(hasFailed)).toBe(false);
  });

  it('exist for a login, and for a session read from the shared store', async () => {
    const store = new MemoryStore();
    await using one = await startObserved('fastify', { options: { store } });
    const { accessToken } = await one.spans.within('a job', () => one.app.get(XPaySessionService).login(ada));
    expect(one.spans.pathOf(one.spans.one(LOGIN))).toEqual([LOGIN, 'xpay_auth.login', 'a job']);
    await using two = await startObserved('express', { options: { store, baseUrl: one.xpay.url } });
    expect(await two.status('/me', bearer(accessToken))).toBe(200);
    expect(two.spans.pathOf(two.spans.one('xpay_auth.session.read'))).toEqual(['xpay_auth.session.read', 'GET /me']);
  });

  it('show only the path template of the dialect, and nothing of an unknown path', async () => {
    await using gift = await startGiftStreamEmulator({ accounts: [APP] });
    const named = XPayAuthModule.forRoot({
      name: 'gift',
      dialect: 'gift-stream',
      baseUrl: gift.url,
      credentials: APP,
    });
    await using app = await startObserved('fastify', { imports: [named] });
    const call = app.app.get<XPayHttpService>(getXPayInjectionToken(XPayHttpService, 'gift'));
    await call.request({ method: 'GET', path: '/giftcard/6035-of-somebody' }).catch(() => undefined);
    expect(told(app.spans.one('GET /giftcard/{identifier}'))).toMatchObject({
      'xpay_auth.instance': 'gift',
      'url.template': '/giftcard/{identifier}',
    });
    expect(told(app.spans.one('GET /giftcard/{identifier}'))).not.toHaveProperty(['url.path']);
    await app.http.post('/client/users/ada@example.test?of=ada').catch(() => undefined);
    const unknown = told(app.spans.one('POST'));
    expect(Object.keys(unknown).filter((key) => key.startsWith('url.'))).toEqual([]);
    expect(JSON.stringify(unknown)).not.toContain('ada');
  });

  it('are optional: without a tracing SDK, and without telemetry, everything works the same', async () => {
    await using app = await startObserved('fastify', { telemetry: false });
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/find', {}, 'POST')).toBe(201);
    expect([app.spans.names(), [...(await app.metrics.all()).keys()]]).toEqual([[], []]);
  });
});
