// The entry points and contexts that need optional peers, with the versions for Nest 11, in CommonJS.
import 'reflect-metadata';
import assert = require('node:assert/strict');
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  type Credentials,
  type CredentialsExtractor,
  CurrentUser,
  type Principal,
  Public,
  Scopes,
  XPayAuthModule,
  XPayHandshake,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { XPayTelemetryModule } from 'nestjs-xpay-auth/opentelemetry';
import { setupXPaySecurity, withXPaySecurity } from 'nestjs-xpay-auth/swagger';
import { XPayHealthIndicator, XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { WebSocket } from 'ws';

interface Result {
  readonly data?: { readonly me: string } | null;
  readonly errors?: readonly { readonly extensions: { readonly errorCode: string } }[];
}

const user = { username: 'user@example.test', secretKey: 'user-key' };

/** Messages of Nest 11 have no metadata, so credentials come in the payload. */
const payload: CredentialsExtractor = {
  scheme: 'Payload',
  extract: ({ rpc }) => (rpc?.data as { auth?: Credentials } | undefined)?.auth,
};

@Controller()
class RoutesController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly xpay: XPayHealthIndicator,
  ) {}

  @Scopes('tme_user')
  @Get('user')
  user(@CurrentUser() { username }: Principal) {
    return { username };
  }

  @Public()
  @HealthCheck()
  @Get('ready')
  ready() {
    return this.health.check([() => this.xpay.check('xpay')]);
  }

  @Scopes('tme_user')
  @MessagePattern('mine')
  mine(@CurrentUser() { username }: Principal) {
    return username;
  }
}

@Resolver()
class CallerResolver {
  @Scopes('tme_user')
  @Query(() => String)
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }
}

@Scopes('tme_user')
@WebSocketGateway({ path: '/live' })
class LiveGateway {
  constructor(private readonly handshake: XPayHandshake) {}

  async handleConnection(client: WebSocket, request: IncomingMessage) {
    const caller = await this.handshake.accept(this, client, request);
    if (caller !== undefined) client.send('"welcome"');
  }

  @SubscribeMessage('mine')
  mine(@CurrentUser() { username }: Principal) {
    return { event: 'mine', data: username };
  }
}

async function main(): Promise<void> {
  const xpay = await startXPayEmulator({ accounts: [user] });

  @Module({
    imports: [
      XPayAuthModule.forRoot({
        baseUrl: xpay.url,
        credentials: user,
        verification: { extractors: ['basic', 'bearer', payload] },
      }),
      XPayTelemetryModule.forRoot(),
      GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
      TerminusModule,
      XPayHealthModule,
    ],
    controllers: [RoutesController],
    providers: [CallerResolver, LiveGateway],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  const tcp = { host: '127.0.0.1', port: await freePort() };
  app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options: tcp }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  const config = setupXPaySecurity(new DocumentBuilder()).build();
  const { paths } = withXPaySecurity(app, SwaggerModule.createDocument(app, config));
  assert.equal(paths['/user']?.get?.description, '**Scope:** `tme_user`');

  const authorization = `Basic ${Buffer.from(`${user.username}:${user.secretKey}`).toString('base64')}`;
  const query = async (headers: Record<string, string>): Promise<unknown> => {
    const body = JSON.stringify({ query: '{ me }' });
    const asked = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body };
    const { data, errors } = (await (await fetch(`${url}/graphql`, asked)).json()) as Result;
    return data?.me ?? errors?.[0]?.extensions.errorCode;
  };
  assert.deepEqual([await query({ authorization }), await query({})], [user.username, 'missing_credentials']);

  const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, { headers: { authorization } });
  await once(socket, 'message');
  socket.send(JSON.stringify({ event: 'mine' }));
  const [said] = (await once(socket, 'message')) as [Buffer];
  assert.deepEqual(JSON.parse(said.toString()), { event: 'mine', data: user.username });
  socket.close();
  const stranger = new WebSocket(`${url.replace('http', 'ws')}/live`);
  const [code] = (await once(stranger, 'close')) as [number];
  assert.equal(code, 1008);

  const client = ClientProxyFactory.create({ transport: Transport.TCP, options: tcp });
  const send = (data: object): Promise<unknown> => lastValueFrom(client.send('mine', data));
  assert.equal(await send({ auth: user }), user.username);
  await assert.rejects(send({}), { statusCode: 401, errorCode: 'missing_credentials' });
  client.close();

  const ready = async () => {
    const answer = await fetch(`${url}/ready`);
    const { details } = (await answer.json()) as { details: { xpay: { status: string; reasons: string[] } } };
    return [answer.status, details.xpay.status, details.xpay.reasons];
  };
  assert.deepEqual(await ready(), [200, 'up', []]);
  await xpay.pause();
  await assert.rejects(app.get(XPayTokenService).getToken());
  // The status that terminus 12 calls `degraded`.
  assert.deepEqual(await ready(), [200, 'up', ['no usable token: upstream_unavailable']]);

  await app.close();
  await xpay.stop();
  console.log(`Nest 11 in CommonJS with every optional peer, Node ${process.version}: ok`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

void main();
