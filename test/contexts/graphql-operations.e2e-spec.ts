import { describe, expect, it } from '@jest/globals';
import {
  Context,
  Field,
  Int,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import type {
  ExecutionArgs,
  GraphQLError,
  GraphQLFormattedError,
  GraphQLObjectType,
  GraphQLResolveInfo,
} from 'graphql';
import { Authenticated, CurrentUser, type Principal, Public, Scopes, XPayAuditService } from 'nestjs-xpay-auth';
import { type Api, startApi } from '../support/graphql-app.js';
import { connect } from '../support/graphql-ws-client.js';
import { ada, asAda } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { bearer } from '../support/start-app.js';

/** A step of the test between two fields or two events. */
let between: () => Promise<unknown> = () => Promise.resolve();
const paid: string[] = [];

@ObjectType()
class Tick {
  @Field(() => Int)
  count!: number;
}

@Resolver(() => Tick)
class OperationsResolver {
  @Scopes('tme_user')
  @Mutation(() => String, { nullable: true })
  pay(@CurrentUser() { username }: Principal): string {
    paid.push(username);
    return username;
  }

  @Public()
  @Mutation(() => Boolean)
  async step(): Promise<boolean> {
    await between();
    return true;
  }

  @Public()
  @Query(() => Boolean)
  hasUser(@Context('req') { user }: { user?: unknown }): boolean {
    return user !== undefined;
  }

  @Authenticated()
  @Subscription(() => Tick)
  async *ticks(): AsyncGenerator<{ ticks: Tick }> {
    yield { ticks: { count: 1 } };
    await between();
    yield { ticks: { count: 2 } };
    await between();
    yield { ticks: { count: 3 } };
  }

  @Authenticated()
  @ResolveField(() => String, { nullable: true })
  caller(@CurrentUser() { username }: Principal): string {
    return username;
  }
}

interface Result {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly Pick<GraphQLFormattedError, 'extensions'>[];
}

const resultOf = ({ data, errors = [] }: Result): unknown[] => [
  data,
  ...errors.map(({ extensions }) => extensions?.['errorCode']),
];

/** Runs the field `caller` of an event as an executor of graphql-tools does. */
async function* subscribeWithOneVariableValues({ schema, contextValue }: ExecutionArgs): AsyncGenerator<Result> {
  const ticks = schema.getSubscriptionType()?.getFields()['ticks'];
  const caller = (schema.getType('Tick') as GraphQLObjectType).getFields()['caller'];
  const info = { variableValues: {} } as GraphQLResolveInfo;
  const events = (await ticks?.subscribe?.(undefined, {}, contextValue, info)) as AsyncIterable<{ ticks: Tick }>;
  for await (const event of events) {
    const told = { ...info, rootValue: event };
    const resolved = (async (): Promise<unknown> => caller?.resolve?.(event.ticks, {}, contextValue, told))();
    yield await resolved.then(
      (value) => ({ data: { caller: value } }),
      (error: GraphQLError) => ({ data: null, errors: [error] }),
    );
  }
}

const start = (stripCredentials = false, graphqlWs: object = {}): Promise<Api> => {
  paid.length = 0;
  return startApi({
    resolvers: [OperationsResolver],
    options: { verification: { stripCredentials } },
    graphql: {
      allowBatchedHttpRequests: true,
      fieldResolverEnhancers: ['guards'],
      subscriptions: { 'graphql-ws': graphqlWs },
      context: ({ req, extra }: { req?: object; extra?: { request: object } }) => ({ req: req ?? extra?.request }),
    },
  });
};

async function batch(api: Api, headers: Record<string, string>, ...documents: string[]): Promise<unknown[][]> {
  const answer = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(documents.map((query) => ({ query }))),
  });
  return ((await answer.json()) as Result[]).map(resultOf);
}

describe.each([false, true])('operations of GraphQL, stripCredentials: %s', (stripCredentials) => {
  it('D1 · refuses an operation of a batch after an earlier one of the batch was accepted and the session ended', async () => {
    await using api = await start(stripCredentials);
    const { accessToken } = await api.sessions.login(ada);
    between = async () => {
      await settled(() => paid.length === 1);
      await api.sessions.logout(accessToken);
    };
    expect(await batch(api, bearer(accessToken), 'mutation { pay }', 'mutation { step pay }')).toEqual([
      [{ pay: ada.username }],
      [{ step: true, pay: null }, 'invalid_token'],
    ]);
  });

  it('D1 · accepts an operation of a batch after an earlier one of the batch failed in an outage', async () => {
    await using api = await start(stripCredentials);
    api.xpay.faults.next({ kind: 'unavailable' });
    between = () => settled(() => api.thrown.length === 1);
    expect(await batch(api, asAda, 'mutation { pay }', 'mutation { step pay }')).toEqual([
      [{ pay: null }, 'upstream_unavailable'],
      [{ step: true, pay: ada.username }],
    ]);
  });

  it('D1 · an outage is not kept for later fields of its operation', async () => {
    await using api = await start(stripCredentials);
    api.xpay.faults.next({ kind: 'unavailable' });
    expect(resultOf(await api.query('mutation { pay again: pay }', asAda))).toEqual([
      { pay: null, again: ada.username },
      'upstream_unavailable',
    ]);
  });

  it('D1 · decides once for all fields of an operation over one connection', async () => {
    await using api = await start(stripCredentials);
    await using connection = await connect(api.url, { headers: asAda });
    const audit = api.app.get(XPayAuditService);
    for (const hits of [0, 1, 2]) {
      const [came] = await connection.run('mutation { a: pay b: pay c: pay }');
      expect(resultOf(came?.payload as Result)).toEqual([{ a: ada.username, b: ada.username, c: ada.username }]);
      expect([api.asked(), audit.cacheHits]).toEqual([1, hits]);
    }
  });

  it('D1 · shares one check between the fields of an event, and none of its failure with the next event', async () => {
    await using api = await start(stripCredentials);
    await using connection = await connect(api.url, { headers: asAda });
    between = () => {
      api.clock.stepWall(60_000);
      if (api.asked() === 1) api.xpay.faults.next({ kind: 'unavailable' });
      return Promise.resolve();
    };
    const came = await connection.run('subscription { ticks { a: caller b: caller } }');
    const [a, b] = [ada.username, ada.username];
    expect(came.flatMap(({ payload }) => (payload === undefined ? [] : [resultOf(payload as Result)]))).toEqual([
      [{ ticks: { a, b } }],
      [{ ticks: { a: null, b: null } }, 'upstream_unavailable', 'upstream_unavailable'],
      [{ ticks: { a, b } }],
    ]);
    expect(api.events.map(({ type }) => type)).toEqual(['verified', 'undecided', 'verified']);
  });

  it('D1 · judges the guarded fields of each event of a subscription', async () => {
    await using api = await start(stripCredentials);
    const { accessToken } = await api.sessions.login(ada);
    await using connection = await connect(api.url, { headers: bearer(accessToken) });
    between = () => api.sessions.logout(accessToken);
    const came = await connection.run('subscription { ticks { count caller } }');
    expect(came.filter(({ type }) => type === 'next').map(({ payload }) => resultOf(payload as Result))).toEqual([
      [{ ticks: { count: 1, caller: ada.username } }],
      [{ ticks: { count: 2, caller: null } }, 'invalid_token'],
      [{ ticks: { count: 3, caller: null } }, 'invalid_token'],
    ]);
  });

  it('D1 · judges each event where an executor uses one `variableValues` for all events of a subscription', async () => {
    await using api = await start(stripCredentials, { subscribe: subscribeWithOneVariableValues });
    const { accessToken } = await api.sessions.login(ada);
    await using connection = await connect(api.url, { headers: bearer(accessToken) });
    between = () => api.sessions.logout(accessToken);
    const came = await connection.run('subscription { ticks { caller } }');
    expect(came.filter(({ type }) => type === 'next').map(({ payload }) => resultOf(payload as Result))).toEqual([
      [{ caller: ada.username }],
      [null, 'invalid_token'],
      [null, 'invalid_token'],
    ]);
  });

  it('D1 · sets no user on an upgrade request, which the next operation shares', async () => {
    await using api = await start(stripCredentials);
    await using connection = await connect(api.url, { headers: asAda });
    await connection.run('mutation { pay }');
    const [came] = await connection.run('{ hasUser }');
    expect(resultOf(came?.payload as Result)).toEqual([{ hasUser: false }]);
  });
});
