import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { INestMicroservice, Provider, Type } from '@nestjs/common';
import { ServerGrpc } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { type AuditEvent, XPayAuditService, XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import type { XPayAuthOptions } from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { GrpcChannel, PROTO_PATH } from './grpc-channel.js';
import { CallersController, Ticks } from './grpc-controller.js';
import { ada, root } from './inbound-app.js';

/** A gRPC server that knows its port. Nest does not reveal the free port that it binds, so this class binds a second one. */
class ServerOnFreePort extends ServerGrpc {
  port = 0;

  constructor() {
    super({ package: 'callers', protoPath: PROTO_PATH, url: '127.0.0.1:0' });
  }

  override async createClient(): Promise<unknown> {
    const server = (await super.createClient()) as Server;
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    return server;
  }
}

export interface GrpcService extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly sessions: XPaySessionService;
  readonly events: AuditEvent[];
  readonly ticks: Ticks;
  /** A channel, with one HTTP/2 connection, that every test of the service may use. */
  readonly channel: GrpcChannel;
  get<T>(provider: Type<T>): T;
  /** Opens a separate channel. */
  open(): GrpcChannel;
  asked(): number;
}

export interface GrpcSetting {
  readonly options?: XPayAuthOptions;
  readonly providers?: readonly Provider[];
  readonly configure?: (service: INestMicroservice) => void;
}

export async function startGrpcService({ options, providers = [], configure }: GrpcSetting = {}): Promise<GrpcService> {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [ada, root], clock });
  const testing = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options })],
    controllers: [CallersController],
    providers: [Ticks, ...providers],
  }).compile();
  testing.useLogger(false);
  const strategy = new ServerOnFreePort();
  const service = testing.createNestMicroservice({ strategy });
  configure?.(service);
  await service.listen();
  const events: AuditEvent[] = [];
  testing.get(XPayAuditService).events.subscribe((event) => events.push(event));
  const open = (): GrpcChannel => new GrpcChannel(strategy.port);
  const channel = open();
  return {
    xpay,
    clock,
    events,
    channel,
    open,
    sessions: testing.get(XPaySessionService),
    ticks: testing.get(Ticks),
    get: (provider) => testing.get(provider),
    asked: () => xpay.requests('/client/authenticate'),
    async [Symbol.asyncDispose]() {
      channel[Symbol.dispose]();
      await service.close();
      await xpay.stop();
    },
  };
}
