import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentMetadata,
  Body,
  Controller,
  Get,
  HttpCode,
  type INestApplication,
  type ModuleMetadata,
  Post,
  type Type,
} from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { ConfigModule } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Authenticated,
  CurrentUser,
  type Principal,
  Public,
  Scopes,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { z } from 'zod';
import { allowBrowsers } from '../../examples/existing-app/cors.js';
import * as guards from '../../examples/existing-app/global-guards.js';
import * as graphql from '../../examples/existing-app/graphql.js';
import * as health from '../../examples/existing-app/health.js';
import { AccountController } from '../../examples/existing-app/request-user.js';
import * as serializer from '../../examples/existing-app/serializer.js';
import { PricesController } from '../../examples/existing-app/streams.js';
import { HOUR_MS, startOutbound } from '../outbound/outbound.js';
import { setEnvironment } from '../support/environment.js';
import { CatchAllFilterWithHeaders } from '../support/filtered-app.js';
import { type Platform, type RunningApp, basic, bearer, platforms, startApp } from '../support/start-app.js';

const ada = { username: 'ada@example.test', secretKey: 'ada-secret-key', scopes: ['tme_user'] };
const suspended = { username: 'suspended@example.test', secretKey: 'suspended-key', scopes: ['tme_user'] };
const asAda = basic(ada.username, ada.secretKey);
const asSuspended = basic(suspended.username, suspended.secretKey);

@Controller()
class RoutesController {
  constructor(
    private readonly sessions: XPaySessionService,
    private readonly xpay: XPayHttpService,
  ) {}

  @Get('me')
  me(@CurrentUser() { username }: Principal) {
    return { username };
  }

  @Public()
  @HttpCode(200)
  @Post('login')
  login(@Body() body: { username: string; secretKey: string }) {
    return this.sessions.login(body);
  }

  @Authenticated()
  @Post('logout')
  async logout(@Body() { token }: { token: string }) {
    await this.sessions.logout(token);
  }

  @Scopes('tme_user')
  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find');
  }
}

let xpay: XPayEmulator;
let restore: () => void;
beforeAll(async () => {
  xpay = await startXPayEmulator({ accounts: [ada, suspended] });
  restore = setEnvironment({ XPAY_BASE_URL: xpay.url });
});
afterAll(async () => {
  restore();
  await xpay.stop();
});

/** Starts an app with these imports, and with the routes above unless others are passed. */
const start = (
  platform: Platform,
  imports: NonNullable<ModuleMetadata['imports']>,
  controllers: readonly Type[] = [RoutesController],
  configure?: (app: INestApplication) => void,
): Promise<RunningApp> => startApp(platform, { imports, controllers: [...controllers] }, configure);
const guarded = () => XPayAuthModule.forRoot({ globalGuards: true });
const get = async (app: RunningApp, path: string, headers: Record<string, string> = {}) => {
  const answer = await app.fetch(path, { headers });
  const body = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: body === '' ? undefined : (JSON.parse(body) as unknown),
  };
};

const ask = async (app: RunningApp) => {
  const headers = { ...asAda, 'content-type': 'application/json' };
  return (await app.fetch('/graphql', { method: 'POST', headers, body: '{"query":"{ me }"}' })).json();
};
/** Adds every line that an app logs to these lines. */
const logTo = (lines: string[]) => (app: INestApplication) =>
  app.useLogger({ log: (line) => lines.push(String(line)), warn: (line) => lines.push(String(line)), error: () => {} });

describe.each(platforms)('docs/existing-app.md on %s', (platform) => {
  afterEach(() => void (guards.MaintenanceGuard.closed = false));

  it('N5 · runs an APP_GUARD of AppModule before the guards of the library, and one of a later import after them', async () => {
    await using app = await start(platform, [guards.AppModule]);
    expect((await get(app, '/me', asAda)).status).toBe(200);
    expect((await get(app, '/me', asSuspended)).status).toBe(403);
    const asked = xpay.requests('/client/authenticate');
    guards.MaintenanceGuard.closed = true;
    // The caller is unknown to the app: 403 and not 401, and no call to the upstream.
    expect((await get(app, '/me', basic('new@example.test', 'key'))).status).toBe(403);
    expect((await get(app, '/me')).status).toBe(403);
    expect(xpay.requests('/client/authenticate')).toBe(asked);
  });

  it('N5 · sends the status, body and headers of a rejection through a catch-all filter of the app', async () => {
    await using app = await start(platform, [guarded()], undefined, (nest) =>
      nest.useGlobalFilters(new CatchAllFilterWithHeaders(nest.get(HttpAdapterHost))),
    );
    const { status, headers, body } = await get(app, '/me', basic(ada.username, 'wrong'));
    expect([status, headers.get('cache-control')]).toEqual([401, 'no-store']);
    expect(headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    expect(body).toMatchObject({ errorCode: 'invalid_credentials' });
    const outbound = await get(app, '/wallets', asAda);
    expect([outbound.status, outbound.body]).toEqual([500, expect.objectContaining({ errorCode: 'configuration' })]);
  });

  it('N5 · gives the caller to @CurrentUser() while a guard of the app sets request.user', async () => {
    await using app = await start(platform, [XPayAuthModule.forRoot()], [AccountController]);
    expect((await get(app, '/account', asAda)).body).toEqual({ username: ada.username, account: 7 });
    expect((await get(app, '/account')).status).toBe(401);
  });

  it('N5 · serializes classes of the app and the principal behind ClassSerializerInterceptor', async () => {
    const types: unknown[] = [];
    const transform = (value: unknown, { metatype }: ArgumentMetadata) => (types.push(metatype), value);
    await using app = await start(platform, [serializer.AppModule], [], (nest) => nest.useGlobalPipes({ transform }));
    expect((await get(app, '/profile', asAda)).body).toEqual({ username: ada.username });
    expect((await get(app, '/caller', asAda)).body).toEqual({
      username: ada.username,
      scopes: ['tme_user'],
      isAPI: expect.any(Boolean),
      expiresAt: expect.any(Number),
      instance: 'default',
    });
    // Because of `import { type Principal }`, pipes do not receive the class as the type of the parameter.
    expect(types).toEqual([Object, Object]);
  });

  it('N5 · lets scripts of an allowed site read the challenge, and answers a preflight without credentials', async () => {
    await using app = await start(platform, [guarded()], undefined, allowBrowsers);
    const origin = 'https://shop.example.test';
    const { status, headers } = await get(app, '/me', { origin });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([401, origin]);
    expect(headers.get('access-control-expose-headers')?.split(/, ?/)).toEqual(['WWW-Authenticate', 'Retry-After']);
    const preflight = await app.fetch('/me', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      expect.stringMatching(/authorization/i),
    ]);
    expect(preflight.headers.has('www-authenticate')).toBe(false);
  });

  it('N5 · answers health checks and Swagger UI without credentials under globalGuards', async () => {
    await using app = await start(platform, [health.AppModule], undefined, health.serveDocs);
    expect((await get(app, '/health')).body).toMatchObject({ status: 'ok' });
    expect((await app.fetch('/docs')).status).toBe(200);
    expect(await (await app.fetch('/docs-json')).json()).toMatchObject({
      paths: { '/health': { get: { security: [] } } },
    });
    expect((await get(app, '/me')).status).toBe(401);
  });

  it('N5 · ends an event stream when the caller logs out or is revoked, and after its maximum duration', async () => {
    const controllers = [PricesController, RoutesController];
    await using app = await start(platform, [guarded()], controllers);
    const sessions = app.app.get(XPaySessionService);
    const login = async () => (await sessions.login(ada)).accessToken;
    const open = async (token: string) => {
      const { status, body } = await app.fetch('/prices', { headers: bearer(token) });
      expect(status).toBe(200);
      let ended = false;
      const reading = (async () => {
        for await (const _chunk of body ?? []);
        ended = true;
      })();
      return { hasEnded: () => ended, reading };
    };
    const [one, other] = [await login(), await login()];
    const stream = await open(one);
    // The guards decide once, when a request begins. So a stream that the app does not end outlives its session.
    expect(stream.hasEnded()).toBe(false);
    await sessions.logout(one);
    await stream.reading;
    expect((await app.fetch('/prices', { headers: bearer(one) })).status).toBe(401);

    const second = await open(other);
    await sessions.revokeUser(ada.username);
    await second.reading;

    Object.assign(app.app.get(PricesController), { maxMs: 20 });
    const third = await open(await login());
    await third.reading;
  });
});

describe('docs/existing-app.md', () => {
  it('N5 · authenticates a GraphQL operation with a context of the app, unless the context replaces the request', async () => {
    await using app = await start('express', [graphql.AppModule], []);
    expect(await ask(app)).toEqual({ data: { me: ada.username } });
    const driver = { driver: ApolloDriver, autoSchemaFile: true, context: () => ({ req: { tenant: 'one' } }) };
    const imports = [XPayAuthModule.forRoot(), GraphQLModule.forRoot<ApolloDriverConfig>(driver)];
    await using without = await startApp('express', { imports, providers: [graphql.CallerResolver] });
    expect(await ask(without)).toMatchObject({ errors: [{ extensions: { errorCode: 'configuration' } }] });
  });

  it('N5 · counts the time for which a host suspends the process as elapsed', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    app.clock.sleep(2 * HOUR_MS);
    const { value } = await app.tokens.getToken();
    expect([app.xpay.isLive(value), app.xpay.requests('/client/authenticate')]).toEqual([true, 2]);
  });

  it('N5 · reads its variables from an env file behind a validate function that keeps unknown variables', async () => {
    const [folder, before] = [mkdtempSync(join(tmpdir(), 'existing-app-')), process.cwd()];
    const undo = setEnvironment({ XPAY_BASE_URL: '' });
    try {
      delete process.env['XPAY_BASE_URL'];
      writeFileSync(join(folder, '.env'), `DATABASE_URL=postgres://localhost/app\nXPAY_BASE_URL=${xpay.url}\n`);
      process.chdir(folder);
      const dropping: string[] = [];
      const schema = z.object({ DATABASE_URL: z.url() });
      const config = ConfigModule.forRoot({ validate: (variables) => schema.parse(variables) });
      await (await startApp('express', { imports: [config, XPayAuthModule.forRoot()] }, logTo(dropping))).stop();
      expect(dropping).toContainEqual(
        expect.stringMatching(/\.env sets XPAY_BASE_URL, but ConfigService does not return it/),
      );

      const keeping: string[] = [];
      const { AppModule } = await import('../../examples/existing-app/environment.js');
      await using app = await startApp(
        'express',
        { imports: [AppModule], controllers: [RoutesController] },
        logTo(keeping),
      );
      expect(keeping.filter((line) => line.includes('ConfigService does not return'))).toEqual([]);
      expect((await app.fetch('/wallets', { headers: asSuspended })).status).toBe(500); // verified at XPAY_BASE_URL
    } finally {
      process.chdir(before);
      undo();
      rmSync(folder, { recursive: true });
    }
  });
});
