// Two operations over one connection get two decisions in Nest 11: GraphQL over a WebSocket with the contexts that
// @nestjs/apollo 13 passes on unchanged, and a transport with one context for all messages.
import 'reflect-metadata';
import assert = require('node:assert/strict');
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { type CustomTransportStrategy, MessagePattern, Server } from '@nestjs/microservices';
import {
  type Credentials,
  type CredentialsExtractor,
  CurrentUser,
  OptionalAuth,
  type Principal,
  Scopes,
  XPayAuthModule,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { ManualClock, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { on, once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { lastValueFrom } from 'rxjs';
import { WebSocket } from 'ws';

const user = { username: 'user@example.test', secretKey: 'user-key' };
const PERIOD_MS = 60_000;

interface Connected {
  readonly req?: object;
  readonly extra: { readonly request: object };
}

/** `undefined` over HTTP, which has no `extra`. */
const contexts: Readonly<Record<string, (connected: Connected) => object | undefined>> = {
  'ctx => ctx': (connected) => connected,
  'ctx => ctx.extra': ({ extra }) => extra,
  'ctx => ({ req: ctx.req ?? ctx.extra.request })': ({ req, extra }) => ({ req: req ?? extra.request }),
};

@Resolver()
class CallerResolver {
  @Scopes('tme_user')
  @Query(() => String)
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }
}

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: unknown;
}

interface Result {
  readonly data?: { readonly me: string } | null;
  readonly errors?: readonly { readonly extensions: { readonly errorCode: string } }[];
}

/** Opens a connection of `graphql-transport-ws`. Its function runs `{ me }`. */
async function openGraphQL(url: string, authorization: string) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers: { authorization },
  });
  const messages = on(socket, 'message');
  const next = async (): Promise<Message> => {
    const { value } = (await messages.next()) as { value: [Buffer] };
    return JSON.parse(value[0].toString()) as Message;
  };
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  assert.equal((await next()).type, 'connection_ack');
  let last = 0;
  const run = async (): Promise<unknown> => {
    socket.send(JSON.stringify({ id: String(++last), type: 'subscribe', payload: { query: '{ me }' } }));
    const { payload } = await next();
    assert.equal((await next()).type, 'complete');
    const { data, errors } = payload as Result;
    return data?.me ?? errors?.[0]?.extensions.errorCode;
  };
  return { run, close: () => socket.close() };
}

async function overWebSocket(
  name: string,
  context: (connected: Connected) => unknown,
  stripCredentials: boolean,
): Promise<void> {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [user], clock });

  @Module({
    imports: [
      XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, verification: { periodMs: PERIOD_MS, stripCredentials } }),
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        subscriptions: { 'graphql-ws': true },
        context,
      }),
    ],
    providers: [CallerResolver],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const sessions = app.get(XPaySessionService);

  const { accessToken } = await sessions.login(user);
  const session = await openGraphQL(url, `Bearer ${accessToken}`);
  assert.equal(await session.run(), user.username, name);
  await sessions.logout(accessToken);
  assert.equal(await session.run(), 'invalid_token', name);
  session.close();

  const basic = await openGraphQL(url, `Basic ${Buffer.from(`${user.username}:${user.secretKey}`).toString('base64')}`);
  assert.equal(await basic.run(), user.username, name);
  xpay.faults.always({ kind: 'unavailable' });
  clock.stepWall(PERIOD_MS);
  assert.equal(await basic.run(), 'upstream_unavailable', name);
  xpay.faults.clear();
  assert.equal(await basic.run(), user.username, name);
  xpay.removeAccount(user.username);
  clock.stepWall(PERIOD_MS);
  assert.equal(await basic.run(), 'invalid_credentials', name);
  basic.close();

  await app.close();
  await xpay.stop();
}

/** A transport of JSON lines over TCP, with one context for all messages. */
class LineServer extends Server implements CustomTransportStrategy {
  readonly #context = {};
  readonly server = createServer((socket) => {
    createInterface(socket).on('line', (data) => {
      void this.#answer(data).then((answer) => socket.write(`${JSON.stringify(answer)}\n`));
    });
  });

  listen(callback: () => void): void {
    this.server.listen(0, '127.0.0.1', callback);
  }

  close(): void {
    this.server.close();
  }

  on(): void {
    throw new Error('This transport has no events');
  }

  unwrap<T>(): T {
    return this.server as T;
  }

  async #answer(data: string): Promise<unknown> {
    const answer: unknown = await this.getHandlerByPattern('caller')?.(JSON.parse(data), this.#context);
    return lastValueFrom(this.transformToObservable(answer));
  }
}

const payload: CredentialsExtractor = {
  scheme: 'Payload',
  extract: ({ rpc }) => (rpc?.data as { auth?: Credentials } | undefined)?.auth,
};

@Controller()
class CallerController {
  @OptionalAuth()
  @MessagePattern('caller')
  caller(@CurrentUser() caller: Principal | undefined): string {
    return caller?.username ?? 'nobody';
  }
}

async function overOneContext(): Promise<void> {
  const xpay = await startXPayEmulator({ accounts: [user] });

  @Module({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, verification: { extractors: [payload] } })],
    controllers: [CallerController],
  })
  class AppModule {}

  const strategy = new LineServer();
  const service = await NestFactory.createMicroservice(AppModule, { strategy, logger: false });
  await service.listen();
  const socket = connect((strategy.server.address() as AddressInfo).port, '127.0.0.1');
  const lines = on(createInterface(socket), 'line');
  const callers: unknown[] = [];
  for (const data of [{ auth: user }, {}, { auth: user }]) {
    socket.write(`${JSON.stringify(data)}\n`);
    const { value } = (await lines.next()) as { value: [string] };
    callers.push(JSON.parse(value[0]));
  }
  assert.deepEqual(callers, [user.username, 'nobody', user.username]);
  socket.destroy();
  await service.close();
  await xpay.stop();
}

async function main(): Promise<void> {
  for (const [name, context] of Object.entries(contexts)) {
    for (const stripCredentials of [false, true]) await overWebSocket(name, context, stripCredentials);
  }
  await overOneContext();
  console.log(`Two operations over one connection in Nest 11, Node ${process.version}: ok`);
}

void main();
