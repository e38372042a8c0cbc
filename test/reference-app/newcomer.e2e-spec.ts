import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SpawnedProgram, ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { basic, bearer } from '../support/start-app.js';

/** One line that the demo prints: the expected response, and the curl command that returns it. */
const CURL_LINE = /^(\d{3}) {2}curl -i (.+)$/gm;

/** Sends the request that curl would send with these arguments. curl need not be installed. */
function curl(commandLine: string): Promise<Response> {
  const words = commandLine.split(' ');
  const option = (name: string): string | undefined =>
    words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
  const [username = '', secretKey = ''] = option('-u')?.split(':') ?? [];
  return fetch(words.at(-1) ?? '', {
    method: option('-X') ?? 'GET',
    ...(username !== '' && { headers: basic(username, secretKey) }),
  });
}

describe('a new user runs the built app with nothing configured', () => {
  let app: SpawnedProgram;
  let url: string;
  let user: [string, string];
  let admin: [string, string];
  beforeAll(async () => {
    await ensureBuilt();
    app = await spawnBuiltApp();
    [, url = ''] = await app.printed(/curl -i (http:\S+)\/me\n(?:.*\n)*To use your own account/);
    const [, userKey = ''] = await app.printed(/^user@example\.test:(\S+) {2}tme_user$/m);
    const [, adminKey = ''] = await app.printed(/^admin@example\.test:(\S+) {2}tme_admin$/m);
    [user, admin] = [
      ['user@example.test', userKey],
      ['admin@example.test', adminKey],
    ];
  }, 180_000);
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(url + path, { headers });

  it('prints that it is a demo, and listens only on loopback', () => {
    expect(app.output()).toMatch(/^DEMO: no xPay account is configured/m);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('each printed curl line returns the printed status, one for each kind of response', async () => {
    const lines = [...app.output().matchAll(CURL_LINE)];
    expect(new Set(lines.map(([, status]) => status))).toEqual(new Set(['200', '401', '403']));
    for (const [line, status, commandLine = ''] of lines) {
      expect([line, (await curl(commandLine)).status]).toEqual([line, Number(status)]);
    }
  });

  it('user: 200 on /me and /user/report, 403 with its challenge on /admin/report', async () => {
    const headers = basic(...user);
    expect((await get('/me', headers)).status).toBe(200);
    expect((await get('/user/report', headers)).status).toBe(200);
    const denied = await get('/admin/report', headers);
    expect(denied.status).toBe(403);
    expect(denied.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="tme_admin"');
  });

  it('admin: 200 on /admin/report', async () => {
    expect((await get('/admin/report', basic(...admin))).status).toBe(200);
  });

  it('anonymous: 401 with a challenge that names Basic; a wrong key: 401', async () => {
    const nobody = await get('/me');
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Basic /)]);
    expect((await get('/me', basic(user[0], 'wrong-key'))).status).toBe(401);
  });

  it('POST /wallets/find: 200, with the wallets of the caller', async () => {
    const answer = await fetch(`${url}/wallets/find`, { method: 'POST', headers: basic(...user) });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject(Array.from({ length: 3 }, () => ({ username: user[0] })));
  });

  it('POST /app/wallets/find: 200, with a bearer that the service obtained', async () => {
    const answer = await fetch(`${url}/app/wallets/find`, { method: 'POST', headers: basic(...admin) });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toHaveLength(3);
    expect(app.output()).toMatch(/Access token obtained/);
  });

  it('login → bearer → /me → logout → 401', async () => {
    const login = await fetch(`${url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: user[0], secretKey: user[1] }),
    });
    const { accessToken } = (await login.json()) as { accessToken: string };
    const headers = bearer(accessToken);
    expect((await get('/me', headers)).status).toBe(200);
    expect((await fetch(`${url}/auth/logout`, { method: 'POST', headers })).status).toBe(204);
    expect((await get('/me', headers)).status).toBe(401);
  });

  it('/verify: whether a request may pass, for any method and sub-path', async () => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const answer = await fetch(`${url}/verify/a/b?scope=tme_user`, {
        method,
        headers: { ...basic(...user), 'content-type': 'application/json' },
      });
      expect([method, answer.status]).toEqual([method, 200]);
    }
    expect((await get('/verify?scope=tme_user&scope=tme_admin', basic(...user))).status).toBe(403);
    for (const query of ['scopes=tme_user', 'scope=', 'scope=tme_user,tme_admin']) {
      expect([query, (await get(`/verify?${query}`, basic(...user))).status]).toEqual([query, 400]);
    }
  });

  it('/health: 200', async () => {
    expect((await get('/health')).status).toBe(200);
  });

  it('O17 · prints each key once, in the lines that are meant to show it', () => {
    const log = app
      .output()
      .split('\n')
      .filter((line) => !/^(?:\d{3} {2}curl|\S+@example\.test:)/.test(line))
      .join('\n');
    for (const [, key] of [user, admin]) expect(log).not.toContain(key);
  });

  it('has different keys at each start', async () => {
    await using other = await spawnBuiltApp();
    const [, otherKey] = await other.printed(/^user@example\.test:(\S+) {2}tme_user$/m);
    expect(otherKey).not.toBe(user[1]);
  });
});
