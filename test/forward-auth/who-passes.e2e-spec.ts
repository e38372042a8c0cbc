import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Reached, reachedWith } from '../support/echo-site.js';
import { basic, bearer } from '../support/start-app.js';
import { ADMIN, LONG, ODD, PLAIN, type Stage, USER, stages, startProxy, startStage } from './stage.js';

/** Programs that read headers as CGI variables replace each of these characters by an underscore, like the hyphen. */
const ALIASES = "!#$%&'*+.^_`|~".split('');

const as = ({ username, secretKey }: { username: string; secretKey: string }) => basic(username, secretKey);
const asUserWith = (...lines: [string, string][]): [string, string][] => [
  ['Authorization', as(USER).authorization],
  ...lines,
];

function lastOf(reached: readonly Reached[]): Reached {
  const last = reached.at(-1);
  if (last === undefined) throw new Error('no request reached the site');
  return last;
}

describe.each(stages)('%s calls the reference app on %s', (proxy, platform) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(platform, startProxy[proxy]);
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  const lastReached = () => lastOf(stage.site.reached);

  describe('pages', () => {
    it('are served to a valid caller', async () => {
      const answer = await stage.ask('/', { headers: as(USER) });
      expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('any valid caller')]);
    });

    it.each([
      ['nobody', {}],
      ['a wrong key', basic(USER.username, 'key-of-nobody')],
      ['an unknown bearer', bearer('no-token-of-ours')],
    ])('I7 · are rejected for %s: 401, with every accepted scheme in one challenge', async (_who, headers) => {
      const answer = await stage.ask('/', { headers });
      expect(answer.status).toBe(401);
      expect(answer.all('www-authenticate')).toEqual([
        expect.stringMatching(/^Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"/),
      ]);
      expect(answer.body).not.toContain('any valid caller');
    });

    it('I7 · a script in a browser gets no challenge that opens a login box', async () => {
      const answer = await stage.ask('/', { headers: { 'sec-fetch-dest': 'empty' } });
      expect([answer.status, answer.all('www-authenticate')]).toEqual([401, ['Bearer realm="xpay"']]);
    });

    it('I12 · with a scope are rejected for a caller without it: 403, and the challenge names the scope', async () => {
      const answer = await stage.ask('/admin/', { headers: as(USER) });
      expect([answer.status, answer.all('www-authenticate')]).toEqual([
        403,
        ['Bearer error="insufficient_scope", scope="tme_admin"'],
      ]);
      expect((await stage.ask('/admin/', { headers: as(ADMIN) })).body).toContain('the scope tme_admin');
    });

    it.each([
      '//admin/',
      '/./admin/',
      '/x/../admin/',
      '/%61dmin/',
      '/admin%2F',
      '/admin/%2e/',
      '/admin//index.html',
      '/ADMIN/',
      '/admin;/',
      '/admin/.',
    ])('with a scope are not served at the path %s', async (path) => {
      const answer = await stage.ask(path, { headers: as(USER) });
      expect(answer.status).not.toBe(200);
      expect(answer.body).not.toContain('the scope tme_admin');
    });

    it.each(['/_verify', '/_verify?scope=', '/_verify_admin', '/%5fverify'])(
      '%s is not accessible from outside',
      async (path) => {
        expect((await stage.ask(path, { headers: as(USER) })).status).toBe(404);
      },
    );

    it('are not 304 for a condition that only /verify would meet', async () => {
      const first = await stage.ask('/', { headers: as(USER) });
      const etag = first.headers.etag ?? '';
      expect((await stage.ask('/', { headers: { ...as(USER), 'if-none-match': etag } })).status).toBe(304);
      expect((await stage.ask('/', { headers: { ...as(USER), 'if-none-match': '*' } })).status).toBe(304);
      expect((await stage.ask('/', { headers: { 'if-none-match': etag } })).status).toBe(401);
    });
  });

  describe('a program behind it', () => {
    it("receives the caller's name and scopes, and not the credentials", async () => {
      expect((await stage.ask('/app/', { headers: as(USER) })).status).toBe(200);
      expect(reachedWith(lastReached(), 'x-auth-user')).toEqual(['user%40example.test']);
      expect(reachedWith(lastReached(), 'x-auth-scopes')).toEqual(['tme_user']);
      expect(JSON.stringify(lastReached())).not.toMatch(/authorization|Basic|key-of/i);
    });

    // Besides letters, digits and the hyphen, a header name may contain the characters of ALIASES (RFC 9110 §5.6.2).
    it.each([
      'X-Auth-User',
      'x-auth-user',
      'X-AUTH-USER',
      'X-Auth_User',
      ...ALIASES.map((char) => `X${char}Auth${char}User`),
    ])('does not receive %p that the client sends, once or twice', async (name) => {
      for (const times of [1, 2]) {
        const forged = Array.from({ length: times }, (): [string, string] => [name, 'root@example.test']);
        expect((await stage.ask('/app/', { headers: asUserWith(...forged) })).status).toBe(200);
        expect(reachedWith(lastReached(), 'x-auth-user')).toEqual(['user%40example.test']);
        expect(JSON.stringify(lastReached())).not.toContain('root@');
      }
    });

    it.each(['X-Auth-User, X-Auth-Scopes', 'close, x-auth-user', 'keep-alive, X-Auth-Scopes', 'Upgrade, X-Auth-User'])(
      'receives the true caller if the client sends Connection: %s',
      async (listed) => {
        const claims: [string, string][] = ['X-Auth-User', 'X-Auth-Scopes'].map((name) => [name, 'root@example.test']);
        const answer = await stage.ask('/app/', { headers: asUserWith(['Connection', listed], ...claims) });
        expect(answer.status).toBe(200);
        expect(reachedWith(lastReached(), 'x-auth-user')).toEqual(['user%40example.test']);
        expect(reachedWith(lastReached(), 'x-auth-scopes')).toEqual(['tme_user']);
        expect(JSON.stringify(lastReached())).not.toContain('root@');
      },
    );

    it.each(['Forwarded', 'X-Forwarded-Host', 'X-Forwarded-Uri', 'X-Original-URI', 'X-Original-URL', 'X-Rewrite-URL'])(
      'does not receive the %s of the client, from which a program could read another host, address or path',
      async (name) => {
        const forged = name === 'Forwarded' ? 'host=forged' : name === 'X-Forwarded-Host' ? 'forged' : '/admin/forged';
        expect((await stage.ask('/app/', { headers: asUserWith([name, forged]) })).status).toBe(200);
        expect(JSON.stringify(lastReached())).not.toContain('forged');
      },
    );

    it.each(['X-Original-URL', 'X-Rewrite-URL', 'X-Original-URI', 'X-Forwarded-Uri', 'X-Forwarded-Prefix'])(
      'D15 · does not receive another path that the client sends in %s',
      async (name) => {
        expect((await stage.ask('/app/', { headers: { ...as(USER), [name]: '/admin/' } })).status).toBe(200);
        expect(lastReached()?.url).toBe('/app/');
        expect(JSON.stringify(lastReached())).not.toContain('/admin/');
      },
    );

    it('receives no scopes if there are none, whatever the client sends', async () => {
      await stage.ask('/app/', { headers: { ...as(PLAIN), 'X-Auth-Scopes': 'tme_admin' } });
      expect(reachedWith(lastReached(), 'x-auth-user')).toEqual(['plain%40example.test']);
      expect(reachedWith(lastReached(), 'x-auth-scopes').join('')).toBe('');
    });

    it('receives any username and any scope, percent-encoded', async () => {
      await stage.ask('/app/', { headers: as(ODD) });
      expect(reachedWith(lastReached(), 'x-auth-user').map(decodeURIComponent)).toEqual([ODD.displayName]);
      const [scopes = ''] = reachedWith(lastReached(), 'x-auth-scopes');
      expect(scopes.split(' ').map(decodeURIComponent)).toEqual(ODD.scopes);
    });

    it('receives the longest username', async () => {
      expect((await stage.ask('/app/', { headers: as(LONG) })).status).toBe(200);
      expect(reachedWith(lastReached(), 'x-auth-user').map(decodeURIComponent)).toEqual([LONG.username]);
    });

    it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
      'receives a %s as the client sent it',
      async (method) => {
        const body = ['GET', 'HEAD'].includes(method) ? undefined : '{"cut off":';
        const headers = { ...as(USER), 'Content-Type': 'application/json' };
        const answer = await stage.ask('/app/a%20b?scope=&x=1', { method, headers, ...(body && { body }) });
        expect(answer.status).toBe(200);
        expect(lastReached()).toMatchObject({ method, url: '/app/a%20b?scope=&x=1', body: body ?? '' });
      },
    );

    it('is not called for a rejected request', async () => {
      const before = stage.site.reached.length;
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        expect((await stage.ask('/app/', { method, headers: { 'X-Auth-User': 'user%40example.test' } })).status).toBe(
          401,
        );
      }
      expect(stage.site.reached).toHaveLength(before);
    });

    it('I1 · causes one upstream call per caller', async () => {
      await stage.ask('/app/', { headers: as(USER) });
      const before = stage.xpay.requests();
      for (let i = 0; i < 5; i++) await stage.ask('/app/', { headers: as(USER) });
      expect(stage.xpay.requests()).toBe(before);
    });
  });

  it.each<[string, [string, string][]]>([
    ['I9 · two Authorization lines', asUserWith(['Authorization', as(ADMIN).authorization])],
    ['I8 · a username that is not UTF-8', [['Authorization', 'Basic gIA6eA==']]],
    ['I8 · Basic without a colon', [['Authorization', 'Basic YWRh']]],
  ])('%s: 400, and not the 500 that nginx would make of it', async (_what, headers) => {
    const answer = await stage.ask('/', { headers });
    expect([answer.status, answer.all('www-authenticate')]).toEqual([400, []]);
  });

  it('a bearer token of the app is valid until logout', async () => {
    const login = await stage.ask('/auth/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: USER.username, secretKey: USER.secretKey }),
    });
    const headers = bearer((JSON.parse(login.body) as { accessToken: string }).accessToken);
    expect((await stage.ask('/app/', { headers })).status).toBe(200);
    expect(reachedWith(lastReached(), 'x-auth-user')).toEqual(['user%40example.test']);
    expect((await stage.ask('/auth/logout', { method: 'POST', headers })).status).toBe(204);
    expect((await stage.ask('/app/', { headers })).status).toBe(401);
  });
});
