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
  CurrentUser,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada, root } from './inbound-app.js';

export class Seen {
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

export interface Service extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly seen: Seen;
  readonly sessions: XPaySessionService;
  /** The HTTP address of the hybrid app. */
  readonly url: string;
  /** Returns the response, or the error, for a message with this metadata. */
  send(pattern: unknown, metadata?: Record<string, string>, data?: unknown): Promise<unknown>;
  emit(pattern: unknown, metadata?: Record<string, string>): Promise<void>;
  asked(): number;
}

export interface Setting {
  readonly options?: XPayAuthOptions;
  /** Whether the app is hybrid, and whether its microservice inherits its global guards and filters. */
  readonly hybrid?: { readonly inheritAppConfig: boolean };
  /** Uses the Redis at this port of loopback instead of TCP. */
  readonly redis?: number;
}

export async function startService(setting: Setting = {}): Promise<Service> {
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
