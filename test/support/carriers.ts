import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { CurrentUser, type Principal, Scopes, type XPayAuthOptions } from 'nestjs-xpay-auth';
import { type Answered, type CarrierApp, type CarrierKind, type Presented, headersOf, outcomeOf } from './carrier.js';
import { startConnectionContextService } from './connection-context-service.js';
import type { ContextApp } from './context-app.js';
import { startGateways } from './gateway-app.js';
import type { Transport } from './gateway-client.js';
import { startApi } from './graphql-app.js';
import { graphqlSocketCarriers } from './graphql-carriers.js';
import { startGrpcService } from './grpc-service.js';
import { startInbound } from './inbound-app.js';
import { OneConnection } from './one-connection.js';
import { startService } from './rpc-service.js';
import type { Platform } from './start-app.js';

function overHttp(
  name: string,
  path: string,
  start: (options?: XPayAuthOptions) => Promise<ContextApp>,
  body?: object,
) {
  return {
    name,
    credentialsIn: 'operation' as const,
    start: async (options?: XPayAuthOptions): Promise<CarrierApp> => {
      const app = await start(options);
      return {
        ...app,
        open: async () => {
          const connection = new OneConnection(app.url);
          let requests = 0;
          return Promise.resolve({
            run: async (presented?: Presented) => {
              const answer = await connection.send(path, headersOf(presented), body);
              if (answer.reused !== requests++ > 0) throw new Error('not the connection of the previous request');
              return outcomeOf(answer.body as Answered);
            },
            [Symbol.asyncDispose]: async () => Promise.resolve(connection[Symbol.dispose]()),
          });
        },
      };
    },
  };
}

const http = (platform: Platform): CarrierKind =>
  overHttp(`HTTP keep-alive on ${platform}`, '/me', async (options) => {
    const app = await startInbound(platform, { ...(options && { options }) });
    return { ...app, logged: [] };
  });

const graphqlOverHttp = overHttp(
  'GraphQL over one HTTP connection',
  '/graphql',
  (options) => startApi({ ...(options && { options }) }),
  {
    query: '{ me }',
  },
);

const gateway = (transport: Transport): CarrierKind => ({
  name: `one socket of ${transport}`,
  credentialsIn: 'opening',
  start: async (options) => {
    const app = await startGateways(transport, options);
    return {
      ...app,
      open: async (presented) => {
        const client = await app.open({ path: '/open', headers: headersOf(presented) });
        return {
          run: async () => {
            const data = (await client.ask('user'))?.data;
            return typeof data === 'string' ? data : outcomeOf(data as Answered);
          },
          [Symbol.asyncDispose]: () => client.close(),
        };
      },
    };
  },
});

const tcp: CarrierKind = {
  name: 'one TCP connection of a microservice',
  credentialsIn: 'operation',
  start: async (options) => {
    const service = await startService({ ...(options && { options }) });
    return {
      ...service,
      open: async () =>
        Promise.resolve({
          run: async (presented?: Presented) => {
            const answer = await service.send('me', headersOf(presented));
            return typeof answer === 'string' ? answer : outcomeOf(answer as Answered);
          },
          [Symbol.asyncDispose]: async () => Promise.resolve(),
        }),
    };
  },
};

const grpc: CarrierKind = {
  name: 'one HTTP/2 connection of gRPC',
  credentialsIn: 'operation',
  start: async (options) => {
    const service = await startGrpcService({ ...(options && { options }) });
    return {
      ...service,
      open: async () => {
        const channel = service.open();
        return Promise.resolve({
          run: async (presented?: Presented) => {
            const { texts, trailers } = await channel.run('Unary', headersOf(presented));
            return texts[0] ?? trailers['error-code'];
          },
          [Symbol.asyncDispose]: async () => Promise.resolve(channel[Symbol.dispose]()),
        });
      },
    };
  },
};

@Controller()
class CallerController {
  @Scopes('tme_user')
  @MessagePattern('me')
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }
}

const sharedContext: CarrierKind = {
  name: 'one connection of a transport that shares its context between messages',
  credentialsIn: 'operation',
  start: async (options) => {
    const service = await startConnectionContextService(CallerController, { ...(options && { options }) });
    return {
      ...service,
      open: async () => {
        const connection = await service.connect();
        return {
          run: (auth?: Presented) => connection.send('me', { auth }),
          [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
        };
      },
    };
  },
};

export const carrierKinds: readonly CarrierKind[] = [
  http('express'),
  http('fastify'),
  graphqlOverHttp,
  ...graphqlSocketCarriers,
  gateway('socket.io'),
  gateway('ws'),
  tcp,
  grpc,
  sharedContext,
];
