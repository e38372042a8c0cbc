import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type AuditEvent, XPayAuditService } from 'nestjs-xpay-auth';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { AMBIGUOUS, PLAIN_PATHS } from '../support/ambiguous-paths.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { startReferenceApp } from '../support/reference-app.js';
import { type RunningApp, basic, bearer, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
const asUser = basic(USER.username, USER.secretKey);
const CLIENT = '203.0.113.9';

describe.each(platforms)('denials of /verify on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  let events: AuditEvent[];
  beforeAll(async () => {
    xpay = await startXPayEmulator({ accounts: [USER] });
    app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url }, 'loopback');
    app.app.get(XPayAuditService).events.subscribe((event) => events.push(event));
  });
  beforeEach(() => {
    events = [];
  });
  afterAll(async () => {
    await app.stop();
    await xpay.stop();
  });
  const ask = (path: string, headers: Record<string, string>) =>
    app.fetch(path, { headers: { 'x-forwarded-for': CLIENT, ...headers } });

  describe('audit events have the forwarded address:', () => {
    it('D15 · 403 for a missing scope', async () => {
      expect((await ask('/verify?scope=tme_user&scope=tme_admin', asUser)).status).toBe(403);
      expect(events.filter(({ type }) => type !== 'verified')).toEqual([
        { type: 'denied', username: USER.username, address: CLIENT, requiredScopes: ['tme_user', 'tme_admin'] },
      ]);
    });

    it.each([
      ['an ambiguous path', '/verify', { 'x-forwarded-uri': '/admin/..%2fapp/' }, 'The original path is ambiguous'],
      ['an ambiguous sub-path', '/verify/admin/..%2fapp/', {}, 'The original path is ambiguous'],
      ['an unknown parameter', '/verify?scopes=tme_user', {}, 'The query is not ?scope=…, repeated for several scopes'],
    ])('D15 · 400 for %s', async (_what, path, headers, reason) => {
      const answer = await ask(path, { ...asUser, ...headers });
      expect([answer.status, await answer.json()]).toEqual([
        400,
        expect.objectContaining({ errorCode: 'invalid_request' }),
      ]);
      expect(events.filter(({ type }) => type !== 'verified')).toEqual([
        {
          type: 'refused',
          scheme: 'Basic',
          username: USER.username,
          address: CLIENT,
          reason,
          reference: undefined,
        },
      ]);
    });

    it.each([
      ['400 for malformed credentials', { authorization: 'Basic ???' }, 400],
      ['401 for an unknown bearer token', bearer('unknown'), 401],
      ['401 for a wrong key', basic(USER.username, 'wrong'), 401],
    ])('D15 · %s', async (_what, headers, status) => {
      expect((await ask('/verify', headers)).status).toBe(status);
      expect(events).toEqual([expect.objectContaining({ type: 'refused', address: CLIENT })]);
    });

    it('D15 · 429 for too many attempts', async () => {
      const guesser = '203.0.113.10';
      const guess = (at: number) =>
        ask('/verify', { ...basic(USER.username, `guess-${at}`), 'x-forwarded-for': guesser });
      for (let at = 0; at < 10; at++) expect((await guess(at)).status).toBe(401);
      events = [];
      expect((await guess(10)).status).toBe(429);
      expect(events).toEqual([expect.objectContaining({ type: 'locked-out', address: guesser })]);
    });
  });

  describe('the path of the original request', () => {
    const line = basicLine(`${USER.username}:${USER.secretKey}`);
    // No header holds a control character.
    const ambiguous = AMBIGUOUS.filter((target) => !/[\0\t]/.test(target));

    it.each(['X-Forwarded-Uri', 'X-Original-URI', 'X-Original-URL'])(
      'D15 · is 400 if it is ambiguous in %s',
      async (name) => {
        const statuses = new Map<string, number>();
        for (const target of ambiguous) {
          statuses.set(target, (await rawGet(app.url, '/verify', [line, `${name}: ${target}`])).status);
        }
        expect([...statuses].filter(([, status]) => status !== 400)).toEqual([]);
      },
    );

    it('D15 · is 400 if it is ambiguous below /verify', async () => {
      const statuses = new Map<string, number>();
      for (const target of ambiguous.filter((each) => each.startsWith('/') && !each.includes('#'))) {
        statuses.set(target, (await rawGet(app.url, `/verify${target}`, [line])).status);
      }
      expect([...statuses].filter(([, status]) => status !== 400)).toEqual([]);
    });

    it('D15 · is 400 if it is ambiguous in the second of two lines', async () => {
      const lines = ['X-Forwarded-Uri: /app/?x', 'X-Forwarded-Uri: /admin/..%2fapp/'];
      expect((await rawGet(app.url, '/verify', [line, ...lines])).status).toBe(400);
    });

    it('D15 · is 400, or the 431 of newer versions of Node, if the header may be dropped after too many header lines', async () => {
      const lines = [...Array.from({ length: 1_000 }, () => 'b:'), 'X-Forwarded-Uri: /admin/..%2fapp/'];
      expect([400, 431]).toContain((await rawGet(app.url, '/verify', [line, ...lines])).status);
    });

    it.each([...PLAIN_PATHS, 'http://site.example.test/app/', 'http://site.example.test', '*'])(
      'D15 · is accepted as %j',
      async (target) => {
        expect((await rawGet(app.url, '/verify', [line, `X-Forwarded-Uri: ${target}`])).status).toBe(200);
        expect((await rawGet(app.url, '/verify', [line, `X-Original-URL: ${target}`])).status).toBe(200);
      },
    );

    it('D15 · does not change the 401 for an anonymous caller', async () => {
      expect((await rawGet(app.url, '/verify', ['X-Forwarded-Uri: /admin/..%2fapp/'])).status).toBe(401);
    });
  });
});
