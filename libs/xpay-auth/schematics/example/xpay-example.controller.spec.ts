import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  XPayAuthTestingModule,
  XPayTestUpstream,
  asUser,
} from 'nestjs-xpay-auth/testing';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { XPayExampleController } from './xpay-example.controller.js';

describe('XPayExampleController', () => {
  const user = { username: 'ada@example.test', scopes: ['tme_user'] };
  const admin = { username: 'root@example.test', scopes: ['tme_admin'] };
  let app: INestApplication<App>;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [XPayAuthTestingModule.forRoot()],
      controllers: [XPayExampleController],
    }).compile();
    app = module.createNestApplication();
    await app.init();
  });
  afterAll(() => app.close());

  const get = (path: string) =>
    request(app.getHttpServer()).get(`/xpay-example/${path}`);

  it('returns the caller', async () => {
    await get('me').set(asUser(user)).expect(200, user);
    await get('me').expect(401);
  });

  it('rejects callers who are not administrators at /wallets', async () => {
    const wallets = [{ currency: 'USDT' }];
    app.get(XPayTestUpstream).answer('/client/wallets/find', wallets);
    await get('wallets').set(asUser(user)).expect(403);
    await get('wallets').set(asUser(admin)).expect(200, wallets);
  });
});
