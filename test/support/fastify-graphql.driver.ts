import { AbstractGraphQLDriver, type GqlModuleOptions } from '@nestjs/graphql';
import { graphql } from 'graphql';

interface Fastify {
  post(path: string, handler: (request: { readonly body: unknown }, reply: unknown) => unknown): void;
}

/**
 * A minimal driver for Fastify. Its GraphQL context is `{ request, reply }`, like that of drivers made for Fastify. Apollo's
 * driver would need another package.
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
