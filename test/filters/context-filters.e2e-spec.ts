import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  type ArgumentsHost,
  Catch,
  type ContextType,
  Controller,
  type ExceptionFilter,
  HttpException,
  Inject,
  UseFilters,
} from '@nestjs/common';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { describe, expect, it } from '@jest/globals';
import { XPayAuthFilter, XPayHttpService, XPaySessionService, failureHeaders } from 'nestjs-xpay-auth';
import { firstValueFrom, throwError } from 'rxjs';
import type { WebSocket } from 'ws';
import { type ContextApp, startContextApp } from '../support/context-app.js';
import { freePort } from '../support/free-port.js';
import { openSocket } from '../support/gateway-client.js';
import { ada } from '../support/inbound-app.js';

/** Headers that failureHeaders() returned for the exceptions that the filter caught. */
const headersSeen: Record<string, string>[] = [];

/** One filter of the app for all contexts. It uses Nest, and nothing of this library. */
@Catch()
class EveryContextFilter implements ExceptionFilter {
  catch(thrown: Error, host: ArgumentsHost): unknown {
    headersSeen.push(failureHeaders(thrown, host));
    const body = thrown instanceof HttpException ? thrown.getResponse() : { statusCode: 500, message: thrown.message };
    switch (host.getType<ContextType | 'graphql'>()) {
      case 'rpc':
        return throwError(() => body);
      case 'ws':
        return host
          .switchToWs()
          .getClient<WebSocket>()
          .send(JSON.stringify({ event: 'exception', data: body }));
      default:
        throw thrown;
    }
  }
}

class Failing {
  constructor(
    @Inject(XPaySessionService) private readonly sessions: XPaySessionService,
    @Inject(XPayHttpService) private readonly xpay: XPayHttpService,
  ) {}

  async login(): Promise<string> {
    return (await this.sessions.login({ ...ada, secretKey: 'wrong' })).accessToken;
  }

  async wallets(): Promise<string> {
    return JSON.stringify(await this.xpay.post('/client/wallets/find'));
  }
}

@Resolver()
class FailingResolver extends Failing {
  @Query(() => String)
  override login() {
    return super.login();
  }

  @Query(() => String)
  override wallets() {
    return super.wallets();
  }
}

@Controller()
class FailingPatterns extends Failing {
  @MessagePattern('login')
  override login() {
    return super.login();
  }

  @MessagePattern('wallets')
  override wallets() {
    return super.wallets();
  }
}

class FailingGateway extends Failing {
  @SubscribeMessage('login')
  override login() {
    return super.login();
  }

  @SubscribeMessage('wallets')
  override wallets() {
    return super.wallets();
  }
}

@UseFilters(EveryContextFilter)
@WebSocketGateway({ path: '/theirs' })
class GatewayWithTheirFilter extends FailingGateway {}

@UseFilters(XPayAuthFilter)
@WebSocketGateway({ path: '/ours' })
class GatewayWithOurFilter extends FailingGateway {}

interface EveryContext extends ContextApp {
  graphql(field: string): Promise<unknown>;
  rpc(pattern: string): Promise<unknown>;
  ws(path: string, event: string): Promise<unknown>;
}

async function startEveryContext(filter?: ExceptionFilter): Promise<EveryContext> {
  const tcp = { host: '127.0.0.1', port: await freePort() };
  const app = await startContextApp({
    options: { credentials: { username: ada.username, secretKey: 'not the key of the app' } },
    imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
    providers: [FailingResolver, GatewayWithTheirFilter, GatewayWithOurFilter],
    controllers: [FailingPatterns],
    configure: (nest) => {
      nest.useWebSocketAdapter(new WsAdapter(nest));
      if (filter !== undefined) nest.useGlobalFilters(filter);
      nest.connectMicroservice({ transport: Transport.TCP, options: tcp }, { inheritAppConfig: true });
    },
  });
  await app.app.startAllMicroservices();
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options: tcp });
  return {
    ...app,
    async graphql(field) {
      const body = JSON.stringify({ query: `{ ${field} }` });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
      return ((await answer.json()) as { errors: readonly { extensions: unknown }[] }).errors[0]?.extensions;
    },
    rpc: (pattern) => firstValueFrom(client.send<unknown>(pattern, {})).catch((error: unknown) => error),
    async ws(path, event) {
      await using socket = await openSocket('ws', app.url, { path });
      return (await socket.ask(event))?.data;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await app[Symbol.asyncDispose]();
    },
  };
}

const REJECTED = { statusCode: 401, errorCode: 'invalid_credentials', message: 'Invalid credentials' };
const OUTBOUND = {
  statusCode: 502,
  errorCode: 'credentials_rejected',
  message: 'The upstream service refused this application',
};

describe("an app's own exception filter in contexts other than HTTP", () => {
  it('D11 · a filter for everything has the status and errorCode in getResponse() in a microservice', async () => {
    await using app = await startEveryContext(new EveryContextFilter());
    expect(await app.rpc('login')).toMatchObject(REJECTED);
    expect(await app.rpc('wallets')).toMatchObject(OUTBOUND);
  });

  it('D11 · a filter for everything has the status and errorCode in getResponse() on a gateway', async () => {
    await using app = await startEveryContext();
    expect(await app.ws('/theirs', 'login')).toMatchObject(REJECTED);
    expect(await app.ws('/theirs', 'wallets')).toMatchObject(OUTBOUND);
  });

  it('D11 · Apollo reports the status and errorCode of what a filter for everything passes on', async () => {
    await using app = await startEveryContext(new EveryContextFilter());
    expect(await app.graphql('login')).toMatchObject({ code: 'UNAUTHENTICATED', originalError: REJECTED });
    expect(await app.graphql('wallets')).toMatchObject({ status: 502, originalError: OUTBOUND });
  });

  it('D11 · failureHeaders() has no headers where a context has none', async () => {
    headersSeen.length = 0;
    await using app = await startEveryContext(new EveryContextFilter());
    await app.rpc('login');
    await app.ws('/theirs', 'login');
    expect(headersSeen).toEqual([{}, {}]);
  });

  it("D11 · XPayAuthFilter logs a failure that is not the caller's fault once in every context, because Nest does not", async () => {
    await using app = await startEveryContext();
    const warned = () =>
      app.logged.filter(({ level, line }) => level === 'warn' && /credentials_rejected:|invalid_credentials/.test(line))
        .length;
    const linesOf = async (provoke: () => Promise<unknown>) => {
      const before = warned();
      await provoke();
      return warned() - before;
    };
    for (const call of [
      (what: string) => app.rpc(what),
      (what: string) => app.ws('/ours', what),
      (what: string) => app.graphql(what),
    ]) {
      expect([await linesOf(() => call('login')), await linesOf(() => call('wallets'))]).toEqual([0, 1]);
    }
    expect(app.logged.filter(({ line }) => line.includes('ExceptionsHandler'))).toEqual([]);
  });
});
