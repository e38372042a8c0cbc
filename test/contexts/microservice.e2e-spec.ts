import { describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import { type CredentialsExtractor, XPayAuthError } from 'nestjs-xpay-auth';
import { ada, asAda, asRoot, root, wrong } from '../support/inbound-app.js';
import { RedisServer } from '../support/redis-server.js';
import { startService } from '../support/rpc-service.js';
import { settled } from '../support/settled.js';
import { basic, bearer } from '../support/start-app.js';

const codeOf = (answer: unknown): unknown => (answer as { errorCode?: string } | undefined)?.errorCode ?? answer;

describe('a microservice over TCP', () => {
  it('I13 · accepts exactly the permitted callers of each message, by the authorization of its metadata', async () => {
    await using service = await startService();
    for (const [pattern, expected] of [
      ['me', ['missing_credentials', ada.username, root.username]],
      [{ cmd: 'user' }, ['missing_credentials', `7 of ${ada.username}`, 'insufficient_scope']],
      ['admin', ['missing_credentials', 'insufficient_scope', 'admin']],
      ['optional', ['nobody', ada.username, root.username]],
      ['open', ['open', 'open', 'open']],
      ['unmarked', ['unmarked', 'unmarked', 'unmarked']],
    ] as const) {
      const said = [];
      for (const metadata of [undefined, asAda, asRoot])
        said.push(codeOf(await service.send(pattern, metadata, { id: 7 })));
      expect([pattern, said]).toEqual([pattern, expected]);
    }
    expect(service.asked()).toBe(2);
  });

  it('I13 · throws an RpcException whose cause is the failure, and sends the client the same body as HTTP', async () => {
    await using service = await startService();
    expect(await service.send('admin', asAda)).toEqual({
      status: 'error',
      statusCode: 403,
      error: 'Forbidden',
      message: 'Insufficient scope',
      errorCode: 'insufficient_scope',
      requiredScopes: ['tme_admin'],
    });
    const [exception] = service.seen.exceptions;
    expect(exception).toBeInstanceOf(RpcException);
    expect(exception?.cause).toBeInstanceOf(XPayAuthError);
  });

  it('I13 · Redis transports have metadata, too', async () => {
    await using redis = await RedisServer.start();
    await using service = await startService({ redis: redis.port });
    const said = [await service.send('me', asAda), await service.send('me'), await service.send('admin', asAda)];
    expect(said.map(codeOf)).toEqual([ada.username, 'missing_credentials', 'insufficient_scope']);
  });

  it.each([
    [wrong(), 'invalid_credentials'],
    [bearer('unknown'), 'invalid_token'],
    [{ authorization: 'Basic !' }, 'invalid_request'],
    [{ authorization: 'Digest x' }, 'invalid_credentials'],
    [{ authorization: 7 as unknown as string }, 'invalid_request'],
    [{ ...asAda, Authorization: asRoot.authorization }, 'invalid_request'],
    [{ other: 'x' }, 'missing_credentials'],
  ])('I9 I13 · metadata %j is %s', async (metadata, errorCode) => {
    await using service = await startService();
    expect(codeOf(await service.send('me', metadata))).toBe(errorCode);
    if (errorCode !== 'missing_credentials') expect(codeOf(await service.send('optional', metadata))).toBe(errorCode);
  });

  it('I1 I10 I13 · messages of a period cause one upstream call; revocation, the end of the period and failures take effect', async () => {
    await using service = await startService();
    for (let i = 0; i < 20; i++) expect(await service.send('me', asAda)).toBe(ada.username);
    expect(service.asked()).toBe(1);
    const { accessToken } = await service.sessions.login(ada);
    expect(await service.send('me', bearer(accessToken))).toBe(ada.username);
    await service.sessions.revokeUser(ada.username);
    expect(codeOf(await service.send('me', bearer(accessToken)))).toBe('invalid_token');
    expect(await service.send('me', asAda)).toBe(ada.username);
    service.xpay.faults.always({ kind: 'unavailable' });
    await service.clock.advance(60_001);
    expect(await service.send('me', asAda)).toMatchObject({ statusCode: 503, errorCode: 'upstream_unavailable' });
  });

  it('I13 · an anonymous event is not handled', async () => {
    await using service = await startService();
    await service.emit('paid', asAda);
    await settled(() => service.seen.events.length === 1);
    await service.emit('paid', wrong());
    await settled(() => service.seen.exceptions.length === 1);
    expect(service.seen.events).toEqual([ada.username]);
  });

  it('I13 · an extractor reads credentials from another part of the message', async () => {
    const fromPayload: CredentialsExtractor = {
      scheme: 'Payload',
      extract: ({ rpc }) => {
        const { auth } = (rpc?.data ?? {}) as { auth?: { username: string; secretKey: string } };
        return auth;
      },
    };
    await using service = await startService({ options: { verification: { extractors: ['bearer', fromPayload] } } });
    expect(await service.send('me', undefined, { auth: ada })).toBe(ada.username);
    expect(codeOf(await service.send('me', undefined, {}))).toBe('missing_credentials');
    expect(codeOf(await service.send('me', undefined, { auth: { ...ada, secretKey: 'x' } }))).toBe(
      'invalid_credentials',
    );
    expect(codeOf(await service.send('me', bearer('token'), { auth: ada }))).toBe('invalid_request');
    expect(codeOf(await service.send('me', asAda, {}))).toBe('invalid_credentials');
  });

  it('I5 I13 · failures are counted by user, not by the peer that many users share', async () => {
    await using service = await startService({
      options: { attempts: { perAddress: { attempts: 2, windowMs: 60_000 } } },
    });
    for (let i = 0; i < 6; i++) {
      expect(codeOf(await service.send('me', basic(`user-${i}@example.test`, 'wrong')))).toBe('invalid_credentials');
    }
    expect(await service.send('me', asAda)).toBe(ada.username);
  });

  it('@CurrentUser() without a guard, and an outbound failure, are reported by the same table', async () => {
    await using service = await startService({ options: { credentials: { username: 'app', secretKey: 'wrong' } } });
    expect(await service.send('unmarked-user', asAda)).toMatchObject({ statusCode: 500, errorCode: 'configuration' });
    expect(await service.send('outbound')).toMatchObject({ statusCode: 502, errorCode: 'credentials_rejected' });
  });

  it('I13 · globalGuards protect every message of a microservice', async () => {
    await using service = await startService({ options: { globalGuards: true } });
    expect(codeOf(await service.send('unmarked'))).toBe('missing_credentials');
    expect([await service.send('unmarked', asAda), await service.send('open')]).toEqual(['unmarked', 'open']);
  });

  it.each([
    [true, 'missing_credentials', 'The upstream service refused this application'],
    [false, 'unmarked', 'Internal server error'],
  ])(
    'I13 · in a hybrid app with inheritAppConfig: %s an undecorated message is %s, an outbound failure "%s"; decorators apply in both',
    async (inheritAppConfig, unmarked, failure) => {
      const credentials = { username: 'app', secretKey: 'wrong' };
      await using service = await startService({
        options: { globalGuards: true, credentials },
        hybrid: { inheritAppConfig },
      });
      expect(codeOf(await service.send('unmarked'))).toBe(unmarked);
      expect(await service.send('outbound')).toMatchObject({ status: 'error', message: failure });
      expect(codeOf(await service.send('me'))).toBe('missing_credentials');
      expect(await service.send('me', asAda)).toBe(ada.username);
      expect((await fetch(`${service.url}/me`, { headers: asAda })).status).toBe(200);
    },
  );

  it('I13 · undeclaredRoutes covers messages, and reports those that global guards do not reach', async () => {
    await expect(startService({ options: { undeclaredRoutes: 'deny' } })).rejects.toThrow(
      /No guard of this module and no @Public\(\) on pattern \["unmarked"\] \(WalletsController\.unmarked\), pattern \["unmarked-user"\]/,
    );
    await using whole = await startService({ options: { undeclaredRoutes: 'deny', globalGuards: true } });
    expect(await whole.send('unmarked', asAda)).toBe('unmarked');
    await expect(
      startService({ options: { undeclaredRoutes: 'deny', globalGuards: true }, hybrid: { inheritAppConfig: false } }),
    ).rejects.toThrow(/pattern \["unmarked"\]/);
  });
});
