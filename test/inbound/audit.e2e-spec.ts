import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  type Credentials,
  type CredentialsExtractor,
  Public,
  XPayAuditService,
  XPayAuthError,
  type XPayAuthOptions,
  XPayStrategy,
} from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { inspect } from 'node:util';
import { ada, asAda, asRoot, root, startInbound, wrong } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { basic, bearer, platforms } from '../support/start-app.js';
import { stringsWithin } from '../support/strings-within.js';

const uuid = /^[0-9a-f-]{36}$/;

/** Passes on what a caller has sent, without checking that it is text. */
const loose: CredentialsExtractor = {
  scheme: 'Loose',
  extract: () => JSON.parse('{ "username": "ada", "secretKey": 5 }') as Credentials,
};

/** Rejects callers in its handlers, anonymous ones included. */
@Controller()
class RejectingController {
  @Authenticated()
  @Get('scope')
  scope(): never {
    throw new XPayAuthError('insufficient_scope', 'not your report', { requiredScopes: ['reports:7'] });
  }

  @Authenticated()
  @Get('request')
  request(): never {
    throw new XPayAuthError('invalid_request', 'no such report');
  }

  @Authenticated()
  @Get('other')
  other(): never {
    throw new XPayAuthError('upstream_unavailable', 'the upstream is down');
  }

  @Public()
  @Get('open/scope')
  openScope(): never {
    return this.scope();
  }

  @Public()
  @Get('open/request')
  openRequest(): never {
    return this.request();
  }
}

describe.each(platforms)('audit on %s', (platform) => {
  it('every check, rejection, denial, lockout, login, logout and revocation is one event; a cache hit is only counted', async () => {
    const attempts = { perUserAndAddress: { attempts: 1, windowMs: 60_000 } };
    await using app = await startInbound(platform, { options: { attempts } });
    const audit = app.app.get(XPayAuditService);
    const address = expect.stringMatching(/127\.0\.0\.1$/);
    const reference = { uuid: expect.stringMatching(uuid) };
    const by = { scheme: 'Basic', username: ada.username, address };
    const eventsOf = async (act: () => Promise<unknown>) => {
      const before = app.events.length;
      await act();
      return app.events.slice(before);
    };

    expect(await eventsOf(() => app.status('/me', asAda))).toEqual([
      { type: 'verified', purpose: 'verification', ...by, reference },
    ]);
    expect(await eventsOf(() => app.status('/me', asAda))).toEqual([]);
    expect(audit.cacheHits).toBe(1);
    expect(await eventsOf(() => app.status('/admin', asAda))).toEqual([
      { type: 'denied', username: ada.username, address, requiredScopes: ['tme_admin'] },
    ]);
    app.xpay.faults.next({ kind: 'html502' });
    expect(await eventsOf(() => app.status('/me', asRoot))).toMatchObject([
      { type: 'undecided', username: root.username, reason: 'upstream_unavailable' },
    ]);
    expect(await eventsOf(() => app.status('/me', wrong()))).toEqual([
      {
        type: 'refused',
        ...by,
        reason: 'the upstream does not accept them',
        reference: { ...reference, tag: expect.stringMatching(uuid) },
      },
    ]);
    expect(await eventsOf(() => app.status('/me', wrong()))).toMatchObject([
      { type: 'refused', reason: 'rejected a moment ago' },
    ]);
    expect(await eventsOf(() => app.status('/me', wrong(2)))).toEqual([
      { type: 'locked-out', ...by, limit: 'perUserAndAddress' },
    ]);
    expect(await eventsOf(() => app.status('/me', bearer('made-up')))).toEqual([
      {
        type: 'refused',
        scheme: 'Bearer',
        username: undefined,
        address,
        reason: 'invalid_token',
        reference: undefined,
      },
    ]);
    for (const [value, scheme, reason] of [
      ['Basic ???', 'Basic', 'invalid_request'],
      ['Digest x', 'Digest', 'invalid_credentials'],
      // Without a scheme, the first word is the secret.
      ['ada-secret-key', 'unknown', 'invalid_credentials'],
      ['ada-secret-key and more', 'unknown', 'invalid_credentials'],
      [basic('a\nb', 'x').authorization, 'Basic', 'unusable credentials: control'],
    ]) {
      expect(await eventsOf(() => app.status('/me', { authorization: value ?? '' }))).toMatchObject([
        { type: 'refused', scheme, username: undefined, reason },
      ]);
    }
    expect(await eventsOf(() => app.status('/me'))).toEqual([]);

    const login = async () => {
      const { accessToken } = await app.sessions.login(root, { address: '192.0.2.1' });
      await app.status('/me', bearer(accessToken));
      await app.sessions.logout(accessToken);
    };
    const from = { scheme: 'login', username: root.username, address: '192.0.2.1' };
    expect(await eventsOf(login)).toEqual([
      { type: 'verified', purpose: 'login', ...from, reference },
      { type: 'login', ...from, reference },
      { type: 'logout', username: root.username },
    ]);
    expect(audit.cacheHits).toBe(3);
    expect(await eventsOf(() => app.sessions.revokeUser(ada.username))).toEqual([
      { type: 'revoked', username: ada.username },
    ]);
    expect(await eventsOf(() => app.sessions.revokeAll())).toEqual([{ type: 'revoked', username: '*' }]);
    expect(app.logged.filter((line) => line.startsWith('audit '))).toHaveLength(app.events.length);
  });

  it('D15 · a handler that rejects its caller is one event: denied for a scope, refused for a malformed request', async () => {
    await using app = await startInbound(platform, { controllers: [RejectingController], trustProxy: true });
    const headers = { ...asAda, 'x-forwarded-for': '203.0.113.9' };
    expect(await app.status('/scope', headers)).toBe(403);
    expect(await app.status('/request', headers)).toBe(400);
    expect(await app.status('/open/scope', headers)).toBe(403);
    expect(await app.status('/open/request', headers)).toBe(400);
    expect(await app.status('/other', headers)).toBe(503);
    expect(app.events.filter(({ type }) => type !== 'verified')).toEqual([
      { type: 'denied', username: ada.username, address: '203.0.113.9', requiredScopes: ['reports:7'] },
      {
        type: 'refused',
        scheme: 'Basic',
        username: ada.username,
        address: '203.0.113.9',
        reason: 'no such report',
        reference: undefined,
      },
    ]);
  });

  it.each<[string, XPayAuthOptions, string]>([
    ['a login', {}, 'login'],
    ['an extractor', { verification: { extractors: [loose] } }, 'Loose'],
  ])('I7 · credentials of %s that are no text are 400 and one event', async (_, options, scheme) => {
    await using app = await startInbound(platform, { options });
    const at = { address: '192.0.2.1' };
    if (scheme === 'login') {
      for (const body of [undefined, 'text', { username: 'ada', secretKey: 5 }]) {
        await expect(app.sessions.login(body as never, at)).rejects.toMatchObject({ code: 'invalid_request' });
      }
      expect(app.events).toHaveLength(3);
    } else expect(await app.status('/me')).toBe(400);
    const reason = 'unusable credentials: not_text';
    expect(app.events.at(-1)).toMatchObject({ type: 'refused', scheme, username: undefined, reason });
    expect(app.logged.filter((line) => line.includes('configuration'))).toEqual([]);
  });

  it('a logout is one event on the instance that handles it, also if a login on another instance began the session', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    await using app = await startInbound(platform, { clock, options: { store } });
    await using other = await startInbound(platform, { clock, options: { store, baseUrl: app.xpay.url } });
    const { accessToken } = await app.sessions.login(ada);
    await other.sessions.logout('unknown');
    expect(other.events).toEqual([]);
    await other.sessions.logout(accessToken);
    expect(other.events).toEqual([{ type: 'logout', username: ada.username }]);
  });

  it('a username cannot forge a log line', async () => {
    await using app = await startInbound(platform);
    const forger = 'eve\u2028audit {"type":"login","username":"root"}\u202e\u0085';
    for (const name of ['a\nb', 'a\r\nb', 'a\u001b[2Jb', 'a\u009b2Jb', forger, '\ud83d\ude00"\\']) {
      await app.status('/me', basic(name, 'guess'));
      await app.status('/me', basic(name, ''));
      await app.sessions.revokeUser(name);
    }
    await settled(() => app.logged.length > 0);
    for (const line of app.logged) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }
    // Escaped, not altered: a JSON parser returns the original name.
    const names = app.logged
      .filter((line) => line.startsWith('audit '))
      .map((line) => line.slice('audit '.length, line.lastIndexOf('}') + 1))
      .map((json) => (JSON.parse(json) as { username?: string }).username);
    expect(names).toContain(forger);
  });

  it('B9 · no log line, event, error, response, cache key or cached value contains a secret', async () => {
    await using app = await startInbound(platform, { options: { session: { keepUpstreamToken: true } } });
    const typo = 'a-mistyped-secret-key';
    const told: string[] = [];
    const hear = async (path: string, headers: Record<string, string>) => {
      const answer = await app.fetch(path, { headers });
      told.push(JSON.stringify([...answer.headers]), await answer.text());
    };
    await hear('/me', asAda);
    await hear('/admin', asAda);
    await hear('/me', basic(root.username, typo));
    await hear('/me', basic(root.username, typo));
    await hear('/me', { authorization: `Basic ${ada.secretKey}` });
    await hear('/me', { authorization: `Digest ${ada.secretKey}` });
    await hear('/me', bearer(ada.secretKey));
    const session = await app.sessions.login(root);
    const upstreamToken = app.sessions.upstreamToken(session.accessToken);
    await hear('/me', bearer(session.accessToken));
    for (const secretKey of [typo, `${typo}\n`, '']) {
      const failure: unknown = await app.sessions.login({ username: ada.username, secretKey }).catch((e: unknown) => e);
      expect(failure).toBeInstanceOf(XPayAuthError);
      const { stack = '', cause } = failure as XPayAuthError;
      told.push(inspect(failure, { depth: 9, showHidden: true }), JSON.stringify(failure), stack, inspect(cause));
    }
    app.xpay.faults.next({ kind: 'reset' });
    await hear('/me', basic('somebody@example.test', typo));
    const waiting = app.fetch('/me', { headers: asRoot });
    const strategy = app.app.get(XPayStrategy);
    const tables = stringsWithin(strategy);
    await waiting;
    told.push(...app.logged, JSON.stringify(app.events), inspect(strategy, { depth: 9, showHidden: true }));

    // The walk does see the content of the tables: the names of authenticated callers, and the digests that are their
    // keys.
    expect(tables).toContain(ada.username);
    // 32 bytes, one character each. Some cannot be typed.
    const digests = tables.filter((text) => /^(?:\w+ )?[\0-\xff]{32}$/.test(text) && /[^ -~]/.test(text));
    expect(digests.length).toBeGreaterThan(5);

    const secrets = [ada.secretKey, root.secretKey, typo, session.accessToken];
    const encoded = [asAda.authorization, asRoot.authorization, basic(root.username, typo).authorization];
    for (const secret of [...secrets, ...encoded.map((value) => value.replace('Basic ', ''))]) {
      expect(told.filter((text) => text.includes(secret))).toEqual([]);
      expect(tables.filter((text) => text.includes(secret))).toEqual([]);
    }
    // The one exception has to be requested by option, and does not print.
    const kept = upstreamToken?.value ?? 'none';
    expect(told.filter((text) => text.includes(kept))).toEqual([]);
    expect(tables.filter((text) => text.includes(kept))).toHaveLength(1);
  });
});
