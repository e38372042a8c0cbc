import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Req } from '@nestjs/common';
import { Authenticated, type CredentialsExtractor, CurrentUser, type Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { RoutesController, ada, asAda, root, startInbound } from '../support/inbound-app.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { settled } from '../support/settled.js';
import { basic, bearer, platforms } from '../support/start-app.js';

const adaLine = `Authorization: ${asAda.authorization}`;

/** A custom header of an app: `x-api-key: name/key`. */
const apiKey: CredentialsExtractor = {
  scheme: 'ApiKey',
  extract: ({ headers }) => {
    const value = headers['x-api-key'];
    if (value === undefined) return undefined;
    const [username, secretKey] = String(value).split('/');
    if (username === undefined || secretKey === undefined) throw new XPayAuthError('invalid_request', 'no slash');
    return { username, secretKey };
  },
};

@Controller('echo')
class EchoController {
  @Authenticated()
  @Get()
  echo(@CurrentUser() { username }: Principal) {
    return username;
  }
}

@Controller('headers')
class HeadersController {
  @Authenticated()
  @Get()
  read(@Req() request: { headers: Record<string, unknown>; rawHeaders?: string[]; raw?: { rawHeaders: string[] } }) {
    const lines = request.raw?.rawHeaders ?? request.rawHeaders ?? [];
    return {
      header: request.headers['authorization'] ?? null,
      lines: lines.filter((part) => part.startsWith('Basic ')),
    };
  }
}

/** Node's `headersDistinct`, which is computed at the first read. */
interface Distinct {
  readonly headersDistinct?: Readonly<Record<string, readonly string[]>>;
}

/** Returns which of two headers `headersDistinct` has. */
function read({ headersDistinct = {} }: Distinct): string[] {
  return ['host', 'authorization'].filter((name) => Object.hasOwn(headersDistinct, name));
}

@Controller('distinct')
class DistinctController {
  @Authenticated()
  @Get()
  read(@Req() request: Distinct & { readonly raw?: Distinct }) {
    return read(request.raw ?? request);
  }
}

/** A user that a careless middleware may set. */
function forge(request: { user?: unknown }): void {
  request.user = { username: 'forged', scopes: ['tme_admin'], instance: 'default' };
}

describe.each(platforms)('presenting credentials on %s', (platform) => {
  it('I9 · a scheme without an extractor is rejected, even with the token of a session', async () => {
    await using app = await startInbound(platform, { options: { verification: { extractors: ['basic'] } } });
    const { accessToken } = await app.sessions.login({ username: ada.username, secretKey: ada.secretKey });
    expect(await app.status('/me', bearer(accessToken))).toBe(401);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('I8 · the key is everything after the first colon, byte for byte', async () => {
    const secrets = [
      'pa:ss',
      ' leading and trailing ',
      'ünïcödé €',
      'e\u0301 is not \u00e9',
      'x'.repeat(4_000),
      '\ufeffmark',
    ];
    const accounts = secrets.map((secretKey, i) => ({ username: `user-${i}`, secretKey }));
    await using app = await startInbound(platform, { accounts, options: { attempts: false } });
    for (const { username, secretKey } of accounts) {
      expect((await rawGet(app.url, '/me', [basicLine(`${username}:${secretKey}`)])).status).toBe(200);
      for (const other of [secretKey.trim(), secretKey.normalize('NFC'), secretKey.slice(0, 72), secretKey.slice(1)]) {
        if (other === secretKey) continue;
        expect((await rawGet(app.url, '/me', [basicLine(`${username}:${other}`)])).status).toBe(401);
      }
    }
  });

  it('I8 · invalid UTF-8, control characters and oversized fields are 400, without an upstream call', async () => {
    await using app = await startInbound(platform);
    const latin1 = Buffer.from('ada@example.test:pässword', 'latin1');
    const bad: (Buffer | string)[] = [latin1, 'ada:a\u0000b', 'a\nda:secret', 'ada:\u007f', 'ada:a\u0085b', 'no colon'];
    for (const bytes of bad) {
      expect((await rawGet(app.url, '/me', [basicLine(bytes)])).status).toBe(400);
    }
    for (const bytes of [`ada:${'k'.repeat(4_097)}`, `${'n'.repeat(4_097)}:k`]) {
      expect((await rawGet(app.url, '/me', [basicLine(bytes)])).status).toBe(400);
    }
    for (const rest of [
      '',
      ' ',
      ' YWRh',
      ' YWRhOng',
      ' YWRhOnh=',
      ' YWRhOng=x',
      ' YWRh Ong=',
      ' \tYWRhOng=',
      ', Bearer x',
    ]) {
      expect((await rawGet(app.url, '/me', [`Authorization: Basic${rest}`])).status).toBe(400);
    }
    for (const value of ['Bearer', 'Bearer a b', 'Bearer a,b', 'Bearer =', '@', '"Basic" x', 'Basic\tYWRhOng=']) {
      expect((await rawGet(app.url, '/me', [`Authorization: ${value}`])).status).toBe(400);
    }
    expect((await rawGet(app.url, '/me', ['Authorization:'])).status).toBe(400);
    expect(app.asked()).toBe(0);
  });

  it('I8 · the scheme may have any case and any number of spaces, and the caller is still found in the cache', async () => {
    await using app = await startInbound(platform);
    const [, rest = ''] = asAda.authorization.split(' ');
    for (const value of [`Basic ${rest}`, `basic ${rest}`, `BASIC   ${rest}`]) {
      expect((await rawGet(app.url, '/me', [`Authorization: ${value}`])).status).toBe(200);
    }
    expect(app.asked()).toBe(1);
  });

  it('I9 · two Authorization lines are 400, also when one is cached, also when both are the same', async () => {
    await using app = await startInbound(platform);
    expect((await rawGet(app.url, '/me', [adaLine])).status).toBe(200);
    const { accessToken } = await app.sessions.login(root);
    const session = `authorization: Bearer ${accessToken}`;
    for (const lines of [
      [adaLine, session],
      [session, adaLine],
      [adaLine, adaLine],
      [session, session],
      [adaLine, 'Authorization:'],
    ]) {
      for (const path of ['/me', '/optional']) {
        const answer = await rawGet(app.url, path, lines);
        expect([answer.status, JSON.parse(answer.body)]).toMatchObject([400, { errorCode: 'invalid_request' }]);
      }
    }
    expect((await rawGet(app.url, '/me', [adaLine])).status).toBe(200);
  });

  it('I9 · more header lines than Node keeps are 400, because Node may have dropped a second Authorization', async () => {
    await using app = await startInbound(platform);
    expect((await rawGet(app.url, '/me', [adaLine])).status).toBe(200);
    const { accessToken } = await app.sessions.login(root);
    const many = Array.from({ length: 1_000 }, () => 'b:');
    expect((await rawGet(app.url, '/me', [adaLine, ...many.slice(100)])).status).toBe(200);
    for (const lines of [
      [adaLine, ...many, `Authorization: Bearer ${accessToken}`],
      [adaLine, ...many],
      [...many, adaLine],
    ]) {
      for (const path of ['/me', '/optional']) {
        const { status, body } = await rawGet(app.url, path, lines);
        // Newer versions of Node refuse such a request with 431 themselves.
        if (status !== 431) expect([status, body]).toEqual([400, expect.stringContaining('"invalid_request"')]);
      }
    }
  });

  it("I9 · an app's own extractor and the Authorization header together are 400, also when both are cached", async () => {
    const options = { verification: { extractors: ['basic', 'bearer', apiKey] as const } };
    await using app = await startInbound(platform, { options });
    const key = { 'x-api-key': `${root.username}/${root.secretKey}` };
    expect(await (await app.fetch('/me', { headers: key })).json()).toMatchObject({ username: root.username });
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/me', { ...asAda, ...key })).toBe(400);
    expect(await app.status('/me', { 'x-api-key': 'no slash' })).toBe(400);
    expect(await app.status('/me', { 'x-api-key': 'a/b' })).toBe(401);
    expect(app.asked()).toBe(3);
  });

  it('I2 · an account that is presented in two ways does not evict itself', async () => {
    const options = { verification: { extractors: ['basic', apiKey] as const } };
    await using app = await startInbound(platform, { options });
    for (let i = 0; i < 5; i++) {
      expect(await app.status('/me', asAda)).toBe(200);
      expect(await app.status('/me', { 'x-api-key': `${ada.username}/${ada.secretKey}` })).toBe(200);
    }
    expect(app.asked()).toBe(1);
  });

  it("I1 · callers of an app's own extractor are renewed in the background too", async () => {
    const options = { verification: { extractors: [apiKey] as const } };
    await using app = await startInbound(platform, { options });
    const key = { 'x-api-key': `${ada.username}/${ada.secretKey}` };
    for (let asked = 1; asked <= 4; asked++) {
      expect(await app.status('/me', key)).toBe(200);
      await settled(() => app.events.filter(({ type }) => type === 'verified').length === asked);
      await app.clock.advance(45_000);
    }
  });

  it('I9 · a scheme that is not in the options is rejected', async () => {
    await using app = await startInbound(platform, { options: { verification: { extractors: ['bearer'] } } });
    expect(await app.status('/me', asAda)).toBe(401);
    expect(app.asked()).toBe(0);
  });

  it('I9 · a login reads only its body', async () => {
    await using app = await startInbound(platform);
    const login = await app.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic(root.username, root.secretKey) },
      body: JSON.stringify({ username: ada.username, secretKey: ada.secretKey }),
    });
    const { accessToken } = (await login.json()) as { accessToken: string };
    expect(await (await app.fetch('/me', { headers: bearer(accessToken) })).json()).toMatchObject({
      username: ada.username,
    });
  });

  it('I9 · stripCredentials removes the header from the request, cached or not', async () => {
    const options = { verification: { stripCredentials: true } };
    await using app = await startInbound(platform, { options, controllers: [RoutesController, HeadersController] });
    for (let i = 0; i < 2; i++) {
      const answer = await app.fetch('/headers', { headers: asAda });
      expect([answer.status, await answer.json()]).toEqual([200, { header: null, lines: [] }]);
    }
  });

  it.each([
    ['has read', (request: Distinct) => read(request)],
    ['has not read', () => undefined],
  ])(
    'I9 · stripCredentials also removes the header from headersDistinct, which middleware %s',
    async (_, middleware) => {
      await using app = await startInbound(platform, {
        options: { verification: { stripCredentials: true } },
        controllers: [DistinctController],
        configure: (nest) =>
          nest.use((request: Distinct, _response: unknown, next: () => void) => (middleware(request), next())),
      });
      const answer = await app.fetch('/distinct', { headers: asAda });
      expect([answer.status, await answer.json()]).toEqual([200, ['host']]);
    },
  );

  it('I9 · the caller is the one whose credentials were sent, not a user that middleware set on the request', async () => {
    await using app = await startInbound(platform, {
      controllers: [RoutesController, EchoController],
      configure: (nest) => {
        if (platform === 'express')
          nest.use((request: object, _: unknown, next: () => void) => (forge(request), next()));
        else {
          const fastify = nest.getHttpAdapter().getInstance() as { addHook(name: string, hook: unknown): void };
          fastify.addHook('onRequest', (request: object, _: unknown, done: () => void) => (forge(request), done()));
        }
      },
    });
    expect(await app.status('/echo')).toBe(401);
    expect(await app.status('/admin')).toBe(401);
    expect(await (await app.fetch('/echo', { headers: asAda })).text()).toBe(ada.username);
  });
});
