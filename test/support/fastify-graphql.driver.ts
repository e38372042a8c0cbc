import { AbstractGraphQLDriver, type GqlModuleOptions } from '@nestjs/graphql';
import { graphql } from 'graphql';

interface Fastify {
  post(path: string, handler: (request: { readonly body: unknown }, reply: unknown) => unknown): void;
}

/**
 * As little of a driver as Fastify needs: a GraphQL context of `{ request, reply }`, which is what drivers made for Fastify
 * hand out. Apollo's needs one package more.
 */
export class FastifyGraphQLDriver extends AbstractGraphQLDriver {
  async start({ schema, context }: GqlModuleOptions): Promise<void> {
    const fastify = this.httpAdapterHost.httpAdapter.getInstance<Fastify>();
    fastify.post('/graphql', async (request, reply) => {
      const { query } = request.body as { query: string };
      const contextValue: unknown = (context as (...parts: unknown[]) => unknown)(request, reply);
      if (schema === undefined) throw new Error('no schema');
      return graphql({ schema, source: query, contextValue });
    });
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    return Promise.resolve();
  }
}
