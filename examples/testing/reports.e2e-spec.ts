// reports.e2e-spec.ts
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import { XPayAuthTestingModule, XPayTestUpstream, asUser } from 'nestjs-xpay-auth/testing';
import { AppModule } from './app.module.js';

describe('reports', () => {
  const user = { username: 'ada@example.test', scopes: ['tme_user'] };
  const admin = { username: 'root@example.test', scopes: ['tme_admin'] };
  let app: INestApplication<App>;
  let upstream: XPayTestUpstream;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule, XPayAuthTestingModule] }).compile();
    app = module.createNestApplication();
    upstream = app.get(XPayTestUpstream);
    await app.init();
  });
  afterEach(() => upstream.recover());
  afterAll(() => app.close());

  it('require the scope', async () => {
    await request(app.getHttpServer()).get('/me').set(asUser(user)).expect(200, user);
    await request(app.getHttpServer()).get('/wallets').set(asUser(user)).expect(403);
    await request(app.getHttpServer()).get('/me').expect(401);
  });

  it('call xPay with the app account', async () => {
    upstream.answer('/client/wallets/find', [{ currency: 'USDT' }]);
    const wallets = await request(app.getHttpServer()).get('/wallets').set(asUser(admin)).expect(200);
    expect(wallets.body).toEqual([{ currency: 'USDT' }]);
    expect(upstream.calls).toEqual([{ method: 'POST', path: '/client/wallets/find', body: { page: 1, pageSize: 10 } }]);
  });

  it('return 503 while xPay is down, and 401 when xPay rejects the credentials', async () => {
    upstream.fail('upstream_unavailable');
    await request(app.getHttpServer()).get('/me').set(asUser(user)).expect(503);
    upstream.recover();
    upstream.refuse(user.username);
    await request(app.getHttpServer()).get('/me').set(asUser(user)).expect(401);
  });
});
