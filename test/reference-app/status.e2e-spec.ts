import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { XPayTokenService } from 'nestjs-xpay-auth';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { request as sendRequest } from 'node:http';
import { FromLoopback } from '../../src/status/status-access.js';
import type { Sample } from '../../src/status/status-meter.js';
import { ADMIN, APP, type StatusApp, USER, startStatusApp } from '../support/status-app.js';
import { startReferenceApp } from '../support/reference-app.js';
import { basic, bearer, platforms } from '../support/start-app.js';
import { until } from '../support/until.js';

const OF_PAGE = { 'x-xpay-status': '1' };
const BY_BUTTON = { ...OF_PAGE, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };

describe.each(platforms)('/status of the reference app on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: StatusApp;
  beforeAll(async () => {
    xpay = await startXPayEmulator({ accounts: [USER, ADMIN, APP] });
    app = await startStatusApp(platform, xpay);
  });
  afterAll(async () => {
    await app.stop();
    await xpay.stop();
  });

  const login = async ({ username, secretKey }: typeof USER): Promise<string> => {
    const body = JSON.stringify({ username, secretKey });
    const headers = { 'content-type': 'application/json' };
    const answer = await app.fetch('/auth/login', { method: 'POST', headers, body });
    return ((await answer.json()) as { accessToken: string }).accessToken;
  };
  /** Sends with exactly these headers, because `fetch` sets `Host` and `Sec-Fetch-Site` itself. */
  const statusOf = (path: string, headers: Record<string, string>, method = 'GET', body = '{}'): Promise<number> =>
    new Promise((resolve, reject) => {
      const outgoing = sendRequest(app.url + path, { method, headers }, (response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      });
      outgoing.on('error', reject).end(method === 'POST' ? body : undefined);
    });

  it('the page holds no data, is public, and forbids inline code, frames and other origins', async () => {
    const page = await app.fetch('/status');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await page.text();
    const sources = [...html.matchAll(/\s(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source);
    expect(sources.length).toBeGreaterThan(3);
    for (const source of [...sources, '/status/page/charts.js', '/status/page/uPlot.esm.js']) {
      const file = await app.fetch(source);
      // A body that is not read keeps its connection open until garbage collection.
      await file.arrayBuffer();
      expect([source, file.status, file.headers.get('x-content-type-options')]).toEqual([source, 200, 'nosniff']);
    }
    for (const name of ['nothing.js', '..%2fstatus.module.ts', '%2e%2e%2fapp.ts']) {
      expect([name, (await app.fetch(`/status/page/${name}`)).status]).toEqual([name, 404]);
    }
  });

  it('the data need a bearer token with tme_admin, and are denied without a token, with Basic and with another scope', async () => {
    const [user, admin] = [await login(USER), await login(ADMIN)];
    expect(await statusOf('/status/frames', OF_PAGE)).toBe(401);
    expect(await statusOf('/status/frames', { ...OF_PAGE, ...basic(ADMIN.username, ADMIN.secretKey) })).toBe(403);
    expect(await statusOf('/status/frames', { ...OF_PAGE, ...bearer(user) })).toBe(403);
    expect(await statusOf('/status/frames', bearer(admin))).toBe(403);
    const frames = await app.fetch('/status/frames', { headers: { ...OF_PAGE, ...bearer(admin) } });
    expect([frames.status, frames.headers.get('cache-control')]).toEqual([200, 'no-store']);
    await frames.body?.cancel();
  });

  it.each(['/status/revoke', '/status/refresh'])(
    'POST %s needs Sec-Fetch-Site: same-origin and the header of the page, even with Basic credentials that a browser adds',
    async (path) => {
      const admin = bearer(await login(ADMIN));
      const body = JSON.stringify({ username: 'nobody@example.test' });
      const sent = (headers: Record<string, string>): Promise<number> => statusOf(path, headers, 'POST', body);
      const { 'sec-fetch-site': _site, ...withoutSite } = BY_BUTTON;
      const { 'x-xpay-status': _header, ...withoutHeader } = BY_BUTTON;
      expect(await sent({ ...withoutSite, ...admin })).toBe(403);
      expect(await sent({ ...withoutHeader, ...admin })).toBe(403);
      expect(await sent({ ...BY_BUTTON, ...admin, 'sec-fetch-site': 'cross-site' })).toBe(403);
      expect(await sent({ ...BY_BUTTON, ...admin, 'sec-fetch-site': 'same-site' })).toBe(403);
      expect(await sent({ ...BY_BUTTON, ...basic(ADMIN.username, ADMIN.secretKey) })).toBe(403);
      expect(await sent({ ...BY_BUTTON, ...admin })).toBe(204);
    },
  );

  it('a user name to revoke is a text of 1 to 4,096 characters, as the names of callers are', async () => {
    const admin = bearer(await login(ADMIN));
    for (const body of [
      '{}',
      '[]',
      '{"username":""}',
      '{"username":7}',
      JSON.stringify({ username: 'u'.repeat(4_097) }),
    ]) {
      expect([body, await statusOf('/status/revoke', { ...BY_BUTTON, ...admin }, 'POST', body)]).toEqual([body, 400]);
    }
    const longest = JSON.stringify({ username: 'u'.repeat(4_096) });
    expect(await statusOf('/status/revoke', { ...BY_BUTTON, ...admin }, 'POST', longest)).toBe(204);
  });

  it('has no demo traffic outside demo mode', async () => {
    const admin = bearer(await login(ADMIN));
    const body = JSON.stringify({ isRunning: true });
    expect(await statusOf('/status/traffic', { ...BY_BUTTON, ...admin }, 'POST', body)).toBe(404);
  });

  it('O17 · the frames show the token, callers and events, and contain no secret', async () => {
    const admin = await login(ADMIN);
    const user = await login(USER);
    const frames = await app.frames({ ...OF_PAGE, ...bearer(admin) });
    const headers = basic(USER.username, USER.secretKey);
    const guess = basic(USER.username, 'a-wrong-key-1');
    for (const each of [headers, headers, bearer(user), guess, {}]) await app.fetch('/me', { headers: each });
    await app.fetch('/wallets/find', { method: 'POST', headers });
    const { value: ownToken } = await app.app.get(XPayTokenService).getToken();
    xpay.faults.next({ kind: 'unavailable' });
    await app.fetch('/me', { headers: basic('new@example.test', 'key-of-new-1') });
    await until(() => /"type":"undecided"/.test(frames.text()), 'the failed check is shown', 10_000);
    const totalOf = (field: keyof Sample): number =>
      frames.all().reduce((sum, { samples }) => sum + samples.reduce((of, each) => of + Number(each[field]), 0), 0);
    await until(() => totalOf('failures') > 0, 'the failed request is shown', 10_000);
    for (const field of ['fromCache', 'fromUpstream', 'rejected', 'undecided', 'calls', 'meanMs'] as const) {
      expect([field, totalOf(field) > 0]).toEqual([field, true]);
    }
    // The login just before the first frame is in the snapshot or in an update, not in both.
    const logins = frames.all().flatMap(({ audit }) => audit.filter(({ type }) => type === 'login'));
    expect(logins.length).toBeGreaterThan(0);
    expect(logins).toEqual([...new Map(logins.map((row) => [`${row.at} ${row.username}`, row])).values()]);
    const text = frames.text();
    expect(text).toMatch(/"token":\{"state":"fresh"/);
    expect(frames.all().at(-1)?.sessions).toBeGreaterThan(0);
    const keys = [USER, ADMIN, APP].map(({ secretKey }) => secretKey);
    const secrets = [...keys, 'a-wrong-key-1', 'key-of-new-1', admin, user, ownToken];
    const spelled = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64')]);
    const credentials = [headers, guess].map(({ authorization }) => authorization.replace('Basic ', ''));
    expect([...spelled, ...credentials].filter((secret) => text.includes(secret))).toEqual([]);
    await frames.stop();
  }, 60_000);

  it('never calls the upstream', async () => {
    const frames = await app.frames({ ...OF_PAGE, ...bearer(await login(ADMIN)) });
    const before = xpay.requests();
    await until(() => frames.all().length > 3, 'three updates', 20_000);
    expect(xpay.requests()).toBe(before);
    await frames.stop();
  }, 30_000);

  it('a logout ends the streams of its user, a revocation ends all streams, and the token is then rejected', async () => {
    for (const end of ['logout', 'revoke'] as const) {
      const admin = bearer(await login(ADMIN));
      const frames = await app.frames({ ...OF_PAGE, ...admin });
      if (end === 'logout') await app.fetch('/auth/logout', { method: 'POST', headers: admin });
      else
        await statusOf(
          '/status/revoke',
          { ...BY_BUTTON, ...admin },
          'POST',
          JSON.stringify({ username: ADMIN.username }),
        );
      await frames.ended;
      expect([end, await statusOf('/status/frames', { ...OF_PAGE, ...admin })]).toEqual([end, 401]);
    }
  }, 30_000);

  it('accepts 20 open pages, and answers 503 to the next', async () => {
    const headers = { ...OF_PAGE, ...bearer(await login(ADMIN)) };
    await using other = await startStatusApp(platform, xpay, {}, true);
    const open = await Promise.all(Array.from({ length: 20 }, () => other.frames(headers)));
    expect((await other.fetch('/status/frames', { headers })).status).toBe(503);
    await open[0]?.stop();
    await until(async () => (await other.answerOf('/status/frames', headers)) === 200, 'a place is free');
    // The app stops although the other pages are open.
    await other.stop();
    await Promise.all(open.slice(1).map(({ ended }) => ended));
  }, 30_000);

  it('status · a HEAD of the stream is answered at once, and takes no place of a page', async () => {
    await using demo = await startStatusApp(platform, xpay, {}, true);
    for (let request = 0; request < 21; request++) {
      const head = await demo.fetch('/status/frames', { method: 'HEAD', headers: BY_BUTTON });
      expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
    }
    expect(await demo.answerOf('/status/frames', OF_PAGE)).toBe(200);
  });

  it('in demo mode is open to this machine only: not to a foreign Host, and not through a proxy', async () => {
    await using demo = await startStatusApp(platform, xpay, {}, true);
    const { port } = new URL(demo.url);
    const answerTo = (headers: Record<string, string>): Promise<number> =>
      demo.answerOf('/status/frames', { ...OF_PAGE, ...headers });
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      expect([host, await answerTo({ host })]).toEqual([host, 200]);
    }
    for (const host of [
      `evil.test:${port}`,
      `127.0.0.1.evil.test`,
      `localhost.evil.test:${port}`,
      `10.0.0.1:${port}`,
    ]) {
      expect([host, await answerTo({ host })]).toEqual([host, 403]);
    }
    expect(await answerTo({ 'x-forwarded-for': '127.0.0.1' })).toBe(403);
    expect(await answerTo({ forwarded: 'for=127.0.0.1' })).toBe(403);
    for (const header of [
      'x-forwarded-port',
      'x-forwarded-server',
      'cf-connecting-ip',
      'true-client-ip',
      'x-client-ip',
    ]) {
      expect([header, await answerTo({ [header]: '1' })]).toEqual([header, 403]);
    }
    expect(await demo.answerOf('/status/frames', {})).toBe(403);
  });

  it('is absent with STATUS=off', async () => {
    await using off = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
    for (const path of ['/status', '/status/page/main.js', '/status/frames']) {
      expect([path, (await off.fetch(path)).status]).toEqual([path, 404]);
    }
  });
});

describe('a stream of /status', () => {
  it('does not outlive the session of its page', async () => {
    await using xpay = await startXPayEmulator({ accounts: [ADMIN, APP] });
    await using short = await startStatusApp('fastify', xpay, { XPAY_SESSION_PERIOD_MS: '2000' });
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ username: ADMIN.username, secretKey: ADMIN.secretKey });
    const answer = await short.fetch('/auth/login', { method: 'POST', headers, body });
    const admin = bearer(((await answer.json()) as { accessToken: string }).accessToken);
    const frames = await short.frames({ ...OF_PAGE, ...admin });
    await frames.ended;
    expect((await short.fetch('/status/frames', { headers: { ...OF_PAGE, ...admin } })).status).toBe(401);
  }, 30_000);
});

/** Whether a request of this address to loopback is accepted. */
function allows(remoteAddress: string | undefined): boolean {
  const request = { socket: { remoteAddress }, headers: { host: '127.0.0.1:3000' } };
  try {
    return new FromLoopback().canActivate(new ExecutionContextHost([request]));
  } catch {
    return false;
  }
}

describe('the status page in demo mode', () => {
  it('accepts connections from loopback addresses only', () => {
    expect(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'].filter((address) => !allows(address))).toEqual([]);
    expect(['10.0.0.1', '::ffff:10.0.0.1', '127.0.0.1.evil', 'fe80::1', '', undefined].filter(allows)).toEqual([]);
  });
});
