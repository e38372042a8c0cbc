import type { XPayAuthOptions } from 'nestjs-xpay-auth';
import { type Answered, type CarrierApp, type CarrierKind, headersOf, outcomeOf } from './carrier.js';
import { startApi } from './graphql-app.js';
import { connect } from './graphql-ws-client.js';

interface Connected {
  readonly req?: unknown;
  readonly extra: { readonly request: { readonly headers: object } };
}

/** Values of the option `context` for operations over graphql-ws. */
const GRAPHQL_CONTEXTS: Readonly<Record<string, ((connected: Connected) => object) | undefined>> = {
  "the driver's own context": undefined,
  'the upgrade request as context': ({ req, extra }) => ({ req: req ?? extra.request }),
  'the headers of the upgrade request as context': ({ req, extra }) => ({
    req: req ?? { headers: extra.request.headers },
  }),
  'one context object for the connection': (connected) => Object.assign(connected, { req: connected }),
  "the connection's `extra` as context": ({ extra }) => extra,
};

function overSocket(name: string, context: ((connected: Connected) => object) | undefined, stripCredentials: boolean) {
  return {
    name: `GraphQL over one WebSocket, ${name}${stripCredentials ? ', with stripCredentials' : ''}`,
    credentialsIn: 'opening' as const,
    start: async (options: XPayAuthOptions = {}): Promise<CarrierApp> => {
      const api = await startApi({
        options: { ...options, verification: { ...options.verification, stripCredentials } },
        graphql: { subscriptions: { 'graphql-ws': true }, ...(context && { context }) },
      });
      return {
        ...api,
        open: async (presented) => {
          const connection = await connect(api.url, { headers: headersOf(presented) });
          return {
            run: async () => {
              const [came] = await connection.run('{ me }');
              return outcomeOf(came?.payload as Answered);
            },
            [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
          };
        },
      };
    },
  };
}

export const graphqlSocketCarriers: readonly CarrierKind[] = Object.entries(GRAPHQL_CONTEXTS).flatMap(
  ([name, context]) => [false, true].map((strip) => overSocket(name, context, strip)),
);
