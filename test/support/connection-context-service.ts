import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { Type } from '@nestjs/common';
import { XPayAuthModule, type XPayAuthOptions, XPaySessionService } from 'nestjs-xpay-auth';
import type { Credentials, CredentialsExtractor } from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { ada, root } from './inbound-app.js';

interface Line {
  readonly id: number;
  readonly pattern: string;
  readonly data: unknown;
}

interface Reply {
  readonly id: number;
  readonly err?: { readonly errorCode?: string };
  readonly response?: unknown;
}

/** A custom transport of an app. Its context is the connection, so many messages share one object. */
class ConnectionContextServer extends Server implements CustomTransportStrategy {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket.on('error', () => undefined));
    createInterface(socket).on('line', (line) => void this.#handle(JSON.parse(line) as Line, socket));
  });

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(callback: () => void): void {
    this.#server.listen(0, '127.0.0.1', callback);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  on(): void {
    throw new Error('This transport has no events');
  }

  unwrap<T>(): T {
    return this.#server as T;
  }

  async #handle({ id, pattern, data }: Line, socket: Socket): Promise<void> {
    const answer = await this.getHandlerByPattern(pattern)?.(data, socket);
    this.send(this.transformToObservable(answer), ({ err, response, isDisposed }) => {
      if (isDisposed !== true || err !== undefined || response !== undefined) {
        socket.write(`${JSON.stringify({ id, err, response })}\n`);
      }
    });
  }
}

/** Credentials in the payload of a message. */
const fromPayload: CredentialsExtractor = {
  scheme: 'Payload',
  extract: ({ rpc }) => (rpc?.data as { auth?: Credentials | { token: string } } | undefined)?.auth,
};

export interface ConnectionContextService extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly sessions: XPaySessionService;
  get<T>(provider: Type<T>): T;
  /** Opens one connection. Its function sends a message and resolves to the response, or to the `errorCode`. */
  connect(): Promise<AsyncDisposable & { send(pattern: string, data: object): Promise<unknown> }>;
}

export async function startConnectionContextService(
  controller: Type,
  { providers = [], options = {} }: { readonly providers?: readonly Type[]; readonly options?: XPayAuthOptions } = {},
): Promise<ConnectionContextService> {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [ada, root], clock });
  const verification = { extractors: ['basic' as const, 'bearer' as const, fromPayload], ...options.verification };
  const testing = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options, verification })],
    controllers: [controller],
    providers: [...providers],
  }).compile();
  testing.useLogger(false);
  const strategy = new ConnectionContextServer();
  const service = testing.createNestMicroservice({ strategy });
  await service.listen();
  return {
    xpay,
    clock,
    sessions: testing.get(XPaySessionService),
    get: (provider) => testing.get(provider),
    connect: () => openConnection(strategy.port),
    async [Symbol.asyncDispose]() {
      await service.close();
      await xpay.stop();
    },
  };
}

async function openConnection(port: number) {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const waiting = new Map<number, (reply: Reply) => void>();
  createInterface(socket).on('line', (line) => {
    const reply = JSON.parse(line) as Reply;
    waiting.get(reply.id)?.(reply);
  });
  let last = 0;
  return {
    send: async (pattern: string, data: object): Promise<unknown> => {
      const id = ++last;
      const replied = new Promise<Reply>((resolve) => waiting.set(id, resolve));
      socket.write(`${JSON.stringify({ id, pattern, data })}\n`);
      const { err, response } = await replied;
      return err === undefined ? response : (err.errorCode ?? err);
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await once(socket, 'close');
    },
  };
}
