// reports.controller.spec.ts
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { XPayAuthTestingModule, asUser } from 'nestjs-xpay-auth/testing';
import { ReportsController } from './reports.controller.js';

describe('ReportsController', () => {
  let app: NestFastifyApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      // Same options as XPayAuthModule.forRoot; set those that the routes depend on.
      imports: [XPayAuthTestingModule.forRoot({ scopeHierarchy: { tme_admin: ['tme_user'] } })],
      controllers: [ReportsController],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await app.init();
  });
  afterAll(() => app.close());

  it('returns the caller', async () => {
    const headers = asUser({ username: 'root@example.test', scopes: ['tme_admin'] });
    const answer = await app.inject({ method: 'GET', url: '/me', headers });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ username: 'root@example.test', scopes: ['tme_admin', 'tme_user'] });
  });

  it('rejects users at /wallets', async () => {
    const headers = asUser({ username: 'ada@example.test', scopes: ['tme_user'] });
    const answer = await app.inject({ method: 'GET', url: '/wallets', headers });
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="tme_admin"');
  });
});
