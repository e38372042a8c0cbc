import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Ip, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import request from 'supertest';
import {
  CurrentUser,
  OptionalAuth,
  Principal,
  Public,
  Scopes,
  type Session,
  UseXPay,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { type TestUser, XPayAuthTestingModule, asUser, testCredentials } from 'nestjs-xpay-auth/testing';
import { type Platform, type RunningApp, basic, bearer, platforms, startApp } from '../support/start-app.js';

@Controller()
class RoutesController {
  constructor(private readonly sessions: XPaySessionService) {}

  @Scopes('tme_user')
  @Get('user')
  user(@CurrentUser() caller: Principal) {
    const { username, scopes, isAPI, expiresAt, instance } = caller;
    return { username, scopes, isAPI, expiresAt, instance, isPrincipal: Principal.isPrincipal(caller) };
  }

  @Scopes('tme_admin')
  @Get('admin')
  admin(@CurrentUser() { scopes }: Principal) {
    return { scopes };
  }

  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser() caller: Principal | undefined) {
    return { username: caller?.username ?? 'nobody' };
  }

  @UseXPay('gift')
  @Get('gift')
  gift(@CurrentUser() { username, instance }: Principal) {
    return { username, instance };
  }

  @Public()
  @HttpCode(200)
  @Post('login')
  login(@Body() body: { username: string; secretKey: string }, @Ip() address: string): Promise<Session> {
    return this.sessions.login(body, { address });
  }
}

const ada: TestUser = { username: 'ada@example.test', scopes: ['tme_user'] };

function start(platform: Platform): Promise<RunningApp> {
  return startApp(platform, {
    imports: [
      XPayAuthTestingModule.forRoot({ scopeHierarchy: { tme_root: ['tme_admin', 'tme_user'] } }),
      XPayAuthTestingModule.forRoot({ name: 'gift', dialect: 'gift-stream', verification: { realm: 'gifts' } }),
    ],
    controllers: [RoutesController],
  });
}

describe.each(platforms)('asUser on %s', (platform) => {
  it('creates headers for supertest, inject and fetch alike', async () => {
    await using running = await start(platform);
    const { app } = running;
    const expected = {
      username: 'ada@example.test',
      scopes: ['tme_user'],
      isAPI: false,
      instance: 'default',
      isPrincipal: true,
    };
    expect((await running.fetch('/user', { headers: asUser(ada) })).status).toBe(200);
    const { body } = await request(app.getHttpServer() as never)
      .get('/user')
      .set(asUser(ada))
      .expect(200);
    expect(body).toEqual(expected);
    if (platform !== 'fastify') return;
    const injected = await (app as NestFastifyApplication).inject({ url: '/user', headers: asUser(ada) });
    expect(injected.json()).toEqual(expected);
  });

  it('grants only the given scopes: a forgotten scope is a real 403', async () => {
    await using running = await start(platform);
    const denied = await running.fetch('/admin', { headers: asUser(ada) });
    expect(denied.status).toBe(403);
    expect(denied.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="tme_admin"');
    expect(await denied.json()).toMatchObject({ errorCode: 'insufficient_scope' });
    expect((await running.fetch('/user', { headers: asUser({ username: 'nobody-in-particular' }) })).status).toBe(403);
  });

  it("uses the app's own hierarchy of scopes", async () => {
    await using running = await start(platform);
    const answer = await running.fetch('/admin', { headers: asUser({ username: 'root', scopes: ['tme_root'] }) });
    expect(await answer.json()).toEqual({ scopes: ['tme_root', 'tme_admin', 'tme_user'] });
  });

  it('carries the other fields of a principal, and any username that Basic can', async () => {
    await using running = await start(platform);
    for (const username of ['Zoë Ünal', '名前', ' spaces ', 'x'.repeat(300)]) {
      const expiresAt = Date.now() + 60_000;
      const user = { username, scopes: ['tme_user'], isAPI: true, expiresAt };
      const answer = await running.fetch('/user', { headers: asUser(user) });
      expect(await answer.json()).toMatchObject({ username, isAPI: true, expiresAt });
    }
  });

  it('authenticates no other caller: anonymous, an invented key, the key of another', async () => {
    await using running = await start(platform);
    const nobody = await running.fetch('/user');
    expect(nobody.status).toBe(401);
    expect(nobody.headers.get('www-authenticate')).toBe('Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"');
    expect((await running.fetch('/user', { headers: basic(ada.username, 'made-up') })).status).toBe(401);
    const { secretKey } = testCredentials({ username: 'root', scopes: ['tme_user'] });
    expect((await running.fetch('/user', { headers: basic(ada.username, secretKey) })).status).toBe(401);
    expect((await running.fetch('/optional', { headers: basic(ada.username, secretKey) })).status).toBe(401);
    expect(await (await running.fetch('/optional')).json()).toEqual({ username: 'nobody' });
  });

  it('locks no user out, however often a test is rejected', async () => {
    await using running = await start(platform);
    for (let guess = 0; guess < 120; guess++) {
      expect((await running.fetch('/user', { headers: basic(ada.username, `guess-${guess}`) })).status).toBe(401);
    }
    expect((await running.fetch('/user', { headers: asUser(ada) })).status).toBe(200);
  });

  it('is valid for every instance, or for the named one', async () => {
    await using running = await start(platform);
    const gift = { username: 'shop', scopes: ['tme_user'], instance: 'gift' };
    expect(await (await running.fetch('/gift', { headers: asUser(ada) })).json()).toMatchObject({ instance: 'gift' });
    expect((await running.fetch('/gift', { headers: asUser(gift) })).status).toBe(200);
    expect((await running.fetch('/user', { headers: asUser(gift) })).status).toBe(401);
    expect((await running.fetch('/gift')).headers.get('www-authenticate')).toContain('realm="gifts"');
  });

  it('logs in with testCredentials, and out', async () => {
    await using running = await start(platform);
    const login = await running.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(testCredentials({ username: 'with:colon', scopes: ['tme_user'] })),
    });
    const { accessToken } = (await login.json()) as Session;
    const answer = await running.fetch('/user', { headers: bearer(accessToken) });
    expect(await answer.json()).toMatchObject({ username: 'with:colon' });
    await running.app.get(XPaySessionService).logout(accessToken);
    expect((await running.fetch('/user', { headers: bearer(accessToken) })).status).toBe(401);
  });
});

describe('asUser', () => {
  it.each([
    ['', /the user name is empty/],
    ['a:b', /the user name contains a colon/],
    ['line\nbreak', /the user name is one with control characters/],
  ])('throws for a username that no caller could present: %j', (username, message) => {
    expect(() => asUser({ username })).toThrow(message);
  });
});
