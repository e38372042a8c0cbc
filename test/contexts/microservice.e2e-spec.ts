import { describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  Get,
  type INestMicroservice,
  Inject,
  type RpcExceptionFilter,
  UseFilters,
} from '@nestjs/common';
import {
  BaseRpcExceptionFilter,
  ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { AddressInfo, Server } from 'node:net';
import { type Observable, firstValueFrom } from 'rxjs';
import {
  Authenticated,
  type CredentialsExtractor,
  CurrentUser,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  XPayAuthError,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada, asAda, asRoot, root, wrong } from '../support/inbound-app.js';
import { RedisServer } from '../support/redis-server.js';
import { settled } from '../support/settled.js';
import { basic, bearer } from '../support/start-app.js';

class Seen {
  readonly events: string[] = [];
  readonly exceptions: RpcException[] = [];
}

@Catch(RpcException)
class SeeingFilter implements RpcExceptionFilter<RpcException> {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  catch(exception: RpcException, host: ArgumentsHost): Observable<never> {
    this.seen.exceptions.push(exception);
    return new BaseRpcExceptionFilter<RpcException, never>().catch(exception, host);
  }
}

@UseFilters(SeeingFilter)
@Controller()
class WalletsController {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHttpService) private readonly xpay: XPayHttpService,
  ) {}

  @Authenticated()
  @MessagePattern('me')
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Scopes('tme_user')
  @MessagePattern({ cmd: 'user' })
  user(@Payload('id') id: number, @CurrentUser() { username }: Principal): string {
    return `${id} of ${username}`;
  }

  @Scopes('tme_admin')
  @MessagePattern('admin')
  admin(): string {
    return 'admin';
  }

  @OptionalAuth()
  @MessagePattern('optional')
  optional(@CurrentUser() caller: Principal | undefined): string {
    return caller?.username ?? 'nobody';
  }

  @Public()
  @MessagePattern('open')
  open(): string {
    return 'open';
  }

  @MessagePattern('unmarked')
  unmarked(): string {
    return 'unmarked';
  }

  @MessagePattern('unmarked-user')
  unmarkedUser(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Public()
  @MessagePattern('outbound')
  outbound(): Promise<unknown> {
    return this.xpay.post('/client/wallets/find');
  }

  @Authenticated()
  @EventPattern('paid')
  paid(@CurrentUser() { username }: Principal): void {
    this.seen.events.push(username);
  }

  @Authenticated()
  @Get('me')
  overHttp(@CurrentUser() { username }: Principal): { username: string } {
    return { username };
  }
}

interface Service extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly seen: Seen;
  readonly sessions: XPaySessionService;
  /** Where the hybrid app answers over HTTP. */
  readonly url: string;
  /** The answer, or the error, of a message with this metadata. */
  send(pattern: unknown, metadata?: Record<string, string>, data?: unknown): Promise<unknown>;
  emit(pattern: unknown, metadata?: Record<string, string>): Promise<void>;
  asked(): number;
}

interface Setting {
  readonly options?: XPayAuthOptions;
  /** A hybrid app, and whether its microservice inherits what is global in it. */
  readonly hybrid?: { readonly inheritAppConfig: boolean };
  /** Over the Redis at this port of loopback instead of TCP. */
  readonly redis?: number;
}

async function startService(setting: Setting = {}): Promise<Service> {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [ada, root], clock });
  try {
    return await startServiceAt(xpay, clock, setting);
  } catch (thrown) {
    await xpay.stop();
    throw thrown;
  }
}

async function startServiceAt(
  xpay: XPayEmulator,
  clock: ManualClock,
  { options, hybrid, redis }: Setting,
): Promise<Service> {
  const testing = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options })],
    controllers: [WalletsController],
    providers: [Seen],
  }).compile();
  testing.useLogger(false);
  const host = '127.0.0.1';
  const overRedis = { transport: Transport.REDIS as const, options: { host, port: redis ?? 0 } };
  const overTcp = { transport: Transport.TCP as const, options: { host, port: 0 } };
  const transport = redis === undefined ? overTcp : overRedis;
  let url = '';
  let service: INestMicroservice;
  let close: () => Promise<void>;
  if (hybrid === undefined) {
    service = testing.createNestMicroservice(transport);
    await service.listen();
    close = () => service.close();
  } else {
    const app = testing.createNestApplication();
    service = app.connectMicroservice(transport, hybrid);
    await app.init();
    await app.startAllMicroservices();
    await app.listen(0, host);
    url = await app.getUrl();
    close = () => app.close();
  }
  const client: ClientProxy = ClientProxyFactory.create(
    redis === undefined ? { ...overTcp, options: { host, port: portOf(service) } } : overRedis,
  );
  let metadata: Record<string, string> | undefined;
  client.setOnDispatchHook((packet) => {
    if (metadata !== undefined) Object.assign(packet, { metadata });
  });
  return {
    xpay,
    clock,
    url,
    seen: testing.get(Seen),
    sessions: testing.get(XPaySessionService),
    asked: () => xpay.requests('/client/authenticate'),
    send: (pattern, lines, data = {}) => {
      metadata = lines;
      return firstValueFrom(client.send<unknown>(pattern, data)).catch((error: unknown) => error);
    },
    emit: async (pattern, lines) => {
      metadata = lines;
      await firstValueFrom(client.emit<unknown>(pattern, {}), { defaultValue: undefined });
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await close();
      await xpay.stop();
    },
  };
}

function portOf(service: INestMicroservice): number {
  return (service.unwrap<Server>().address() as AddressInfo).port;
}

const codeOf = (answer: unknown): unknown => (answer as { errorCode?: string } | undefined)?.errorCode ?? answer;

describe('a microservice over TCP', () => {
  it('I13 · each message lets in exactly who may come in, by the authorization of its metadata', async () => {
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

  it('I13 · refuses with an RpcException whose cause is the failure, and tells the client what HTTP would', async () => {
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

  it('I13 · Redis has metadata, too', async () => {
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

  it('I1 I10 I13 · messages of a period are one question; revocation, the end of the period and trouble are seen', async () => {
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

  it('I13 · an event from nobody is not handled', async () => {
    await using service = await startService();
    await service.emit('paid', asAda);
    await settled(() => service.seen.events.length === 1);
    await service.emit('paid', wrong());
    await settled(() => service.seen.exceptions.length === 1);
    expect(service.seen.events).toEqual([ada.username]);
  });

  it('I13 · an extractor finds credentials elsewhere in the message', async () => {
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

  it('I5 I13 · failures are counted by user, not by the peer that many users come through', async () => {
    await using service = await startService({
      options: { attempts: { perAddress: { attempts: 2, windowMs: 60_000 } } },
    });
    for (let i = 0; i < 6; i++) {
      expect(codeOf(await service.send('me', basic(`user-${i}@example.test`, 'wrong')))).toBe('invalid_credentials');
    }
    expect(await service.send('me', asAda)).toBe(ada.username);
  });

  it('@CurrentUser() where no guard ran, and an outbound failure, are told by the same table', async () => {
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
    'I13 · in a hybrid app with inheritAppConfig: %s an unmarked message is %s, an outbound failure "%s"; marks hold in both',
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

  it('I13 · undeclaredRoutes knows messages, and what global guards do not reach', async () => {
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
