import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { GraphQLError } from 'graphql';
import { Authenticated, XPayAuditService, XPayAuthError, XPayAuthModule } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { FastifyGraphQLDriver } from '../support/fastify-graphql.driver.js';
import {
  type Answer,
  type Api,
  FieldsResolver,
  SecondResolver,
  Wallet,
  WalletResolver,
  startApi,
} from '../support/graphql-app.js';
import { ada, asAda, asRoot, root, wrong } from '../support/inbound-app.js';
import { basic, bearer } from '../support/start-app.js';

const codes = ({ errors }: Answer): unknown[] =>
  errors.map(({ extensions }) => [extensions?.['code'], extensions?.['errorCode']]);
const UNAUTHENTICATED = ['UNAUTHENTICATED', 'missing_credentials'];
const FORBIDDEN = ['FORBIDDEN', 'insufficient_scope'];

describe('GraphQL for every caller', () => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(async () => api[Symbol.asyncDispose]());

  it.each([
    ['{ me }', { nobody: UNAUTHENTICATED, ada: ada.username, root: root.username }],
    ['{ user }', { nobody: UNAUTHENTICATED, ada: 'user', root: FORBIDDEN }],
    ['mutation { admin }', { nobody: UNAUTHENTICATED, ada: FORBIDDEN, root: 'admin' }],
    ['{ either }', { nobody: UNAUTHENTICATED, ada: 'either', root: 'either' }],
    ['{ optional }', { nobody: 'nobody', ada: ada.username, root: root.username }],
    ['{ open }', { nobody: 'open', ada: 'open', root: 'open' }],
  ])('I13 · %s accepts exactly the permitted callers', async (document, expected) => {
    const said = async (headers?: Record<string, string>): Promise<unknown> => {
      const answer = await api.query(document, headers);
      return answer.errors.length > 0 ? codes(answer)[0] : Object.values(answer.data ?? {})[0];
    };
    expect({ nobody: await said(), ada: await said(asAda), root: await said(asRoot) }).toEqual(expected);
  });

  it('@CurrentUser() without a guard throws configuration', async () => {
    expect(codes(await api.query('{ unmarkedUser }', asAda))).toEqual([['INTERNAL_SERVER_ERROR', 'configuration']]);
    // Even if another field of the request was authenticated.
    const { data, errors } = await api.query('mutation { pay anybody }', asAda);
    expect([data, errors[0]?.extensions?.['errorCode']]).toEqual([
      { pay: ada.username, anybody: null },
      'configuration',
    ]);
  });
});

describe('GraphQL where Apollo may set the status', () => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi({ graphql: { preserveHttpStatusForExecutionErrors: false } });
  });
  afterAll(async () => api[Symbol.asyncDispose]());

  it.each([
    ['{ me }', {}, 401, UNAUTHENTICATED],
    ['{ me }', wrong(), 401, ['UNAUTHENTICATED', 'invalid_credentials']],
    ['{ me }', bearer('unknown'), 401, ['UNAUTHENTICATED', 'invalid_token']],
    ['{ optional }', wrong(), 401, ['UNAUTHENTICATED', 'invalid_credentials']],
    ['{ me }', { authorization: 'Basic !' }, 400, ['BAD_REQUEST', 'invalid_request']],
    ['{ user }', asRoot, 403, FORBIDDEN],
  ])('I7 I13 · %s with %j is %i where Apollo may set the status', async (document, headers, status, code) => {
    const answer = await api.query(document, headers);
    expect([answer.status, codes(answer)]).toEqual([status, [code]]);
    if (status === 401) {
      expect(answer.headers.get('www-authenticate')).toMatch(
        /^Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"/,
      );
    }
  });

  it('I6 I13 · an upstream failure is 503 with a retry time, also for optional callers', async () => {
    api.xpay.faults.always({ kind: 'unavailable' });
    for (const document of ['{ me }', '{ optional }']) {
      const answer = await api.query(document, asAda);
      expect([answer.status, codes(answer)]).toEqual([503, [['SERVICE_UNAVAILABLE', 'upstream_unavailable']]]);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(answer.errors[0]?.extensions?.['retryAfterMs']).toBe(1_000);
    }
    api.xpay.faults.clear();
  });
});

describe('GraphQL', () => {
  it('I13 · throws a GraphQLError whose cause is the failure, with the same content as HTTP', async () => {
    await using api = await startApi();
    const { status, headers, errors } = await api.query('{ user }', asRoot);
    expect(errors).toEqual([
      {
        message: 'Insufficient scope',
        path: ['user'],
        locations: [{ line: 1, column: 3 }],
        extensions: { code: 'FORBIDDEN', errorCode: 'insufficient_scope', requiredScopes: ['tme_user'] },
      },
    ]);
    // Nest's Apollo driver responds 200 if any field was executed.
    expect([status, headers.get('www-authenticate'), headers.get('cache-control')]).toEqual([
      200,
      'Bearer error="insufficient_scope", scope="tme_user"',
      'no-store',
    ]);
    const [located] = api.thrown as GraphQLError[];
    const refusal = located?.originalError;
    expect(refusal).toBeInstanceOf(GraphQLError);
    expect(refusal?.cause).toBeInstanceOf(XPayAuthError);
    expect(refusal?.cause).toMatchObject({ code: 'insufficient_scope' });
    expect(refusal?.stack).not.toContain('lacks');
  });

  const tenFields = `{ ${'abcdefghij'
    .split('')
    .map((alias) => `${alias}: ${alias < 'f' ? 'me' : 'adminOrNull'}`)
    .join(' ')} }`;

  it('I13 · ten fields of one request share one decision, and the scopes of each are checked', async () => {
    await using api = await startApi();
    const { data, errors } = await api.query(tenFields, asAda);
    expect(Object.values(data ?? {})).toEqual([...Array(5).fill(ada.username), ...Array(5).fill(null)]);
    expect(errors.map(({ path, extensions }) => [path?.[0], extensions?.['errorCode']])).toEqual(
      'fghij'.split('').map((alias) => [alias, 'insufficient_scope']),
    );
    expect(api.asked()).toBe(1);
    expect(api.events.filter(({ type }) => type === 'verified')).toHaveLength(1);
    expect(api.events.filter(({ type }) => type === 'denied')).toHaveLength(5);
  });

  it('I13 · mutations of one request, which run in sequence, share one decision, whether the caller is cached or not', async () => {
    await using api = await startApi();
    const threeTimes = 'mutation { a: pay b: pay c: pay }';
    for (const hits of [0, 1, 2]) {
      expect((await api.query(threeTimes, asAda)).data).toEqual({ a: ada.username, b: ada.username, c: ada.username });
      expect([api.asked(), api.app.get(XPayAuditService).cacheHits]).toEqual([1, hits]);
    }
  });

  it('I13 · fields share a rejection, too: one attempt, one upstream call, one event', async () => {
    await using api = await startApi();
    const { errors, data } = await api.query('mutation { a: pay b: pay c: pay }', wrong());
    expect(errors.map(({ extensions }) => extensions?.['errorCode'])).toEqual(Array(3).fill('invalid_credentials'));
    expect(data).toEqual({ a: null, b: null, c: null });
    expect([api.asked(), api.events.map(({ type }) => type)]).toEqual([1, ['refused']]);
  });

  it('I1 I10 I13 · the next request is decided separately: revocation and the period are read again', async () => {
    await using api = await startApi();
    const { accessToken } = await api.sessions.login(ada);
    expect((await api.query('{ me }', bearer(accessToken))).data).toEqual({ me: ada.username });
    await api.sessions.revokeUser(ada.username);
    expect(codes(await api.query('{ me }', bearer(accessToken)))).toEqual([['UNAUTHENTICATED', 'invalid_token']]);
    const before = api.asked();
    for (let i = 0; i < 3; i++) await api.query('{ me }', asAda);
    expect(api.asked()).toBe(before + 1);
    await api.clock.advance(60_001);
    api.xpay.removeAccount(ada.username);
    expect(codes(await api.query('{ me }', asAda))).toEqual([['UNAUTHENTICATED', 'invalid_credentials']]);
  });

  it('I13 · globalGuards protect every field without a decorator, and are off by default', async () => {
    await using open = await startApi();
    expect((await open.query('{ unmarked }')).data).toEqual({ unmarked: 'unmarked' });
    await using closed = await startApi({ options: { globalGuards: true } });
    expect(codes(await closed.query('{ unmarked }'))).toEqual([UNAUTHENTICATED]);
    expect((await closed.query('{ unmarked }', asAda)).data).toEqual({ unmarked: 'unmarked' });
    expect((await closed.query('{ open }')).data).toEqual({ open: 'open' });
  });

  it('I13 · rejections are not errors of the app: anonymous callers do not fill the log', async () => {
    await using api = await startApi();
    for (const headers of [{}, wrong(), asRoot]) await api.query('{ user }', headers);
    expect(api.logged.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it('an outbound failure of a resolver uses the same table', async () => {
    await using api = await startApi({ options: { credentials: { username: 'app', secretKey: 'wrong' } } });
    const answer = await api.query('{ outbound }');
    expect(codes(answer)).toEqual([['BAD_GATEWAY', 'credentials_rejected']]);
    expect(answer.errors[0]?.message).toBe('The upstream service refused this application');
  });

  describe('fields of an object type', () => {
    const resolvers = [WalletResolver];

    it('I13 · are guarded if Nest runs guards for them: the scopes of each are checked, with one decision', async () => {
      await using api = await startApi({ resolvers, graphql: { fieldResolverEnhancers: ['guards'] } });
      const { data } = await api.query('{ wallets { id owner } }', asRoot);
      expect(data).toEqual({ wallets: [1, 2, 3].map((id) => ({ id, owner: `${id} of ${root.username}` })) });
      expect(api.asked()).toBe(1);
      expect(codes(await api.query('{ wallets { owner } }', asAda))).toContainEqual(FORBIDDEN);
      expect((await api.query('{ wallets { id } }')).data).toEqual({ wallets: [{ id: 1 }, { id: 2 }, { id: 3 }] });
    });

    it('I13 · a decorator on a field that Nest would ignore stops the boot', async () => {
      await expect(startApi({ resolvers })).rejects.toMatchObject({
        code: 'configuration',
        message: expect.stringMatching(
          /no guards before WalletResolver\.owner\. Set fieldResolverEnhancers: \['guards'\]/,
        ),
      });
    });

    it('I13 · a decorator on their class only logs a warning', async () => {
      @Authenticated()
      @Resolver(() => Wallet)
      class MarkedResolver {
        @Query(() => Wallet)
        wallet(): Wallet {
          return { id: 1 };
        }

        @ResolveField(() => String)
        owner(): string {
          return 'somebody';
        }
      }
      await using api = await startApi({ resolvers: [MarkedResolver] });
      expect(api.logged.filter(({ level }) => level === 'warn').map(({ line }) => line)).toEqual([
        expect.stringContaining('does not protect the fields MarkedResolver.owner'),
      ]);
    });
  });

  it('I14 · two instances decide in one request, each with its own upstream, also with stripCredentials', async () => {
    await using two = await startXPayEmulator({ accounts: [{ ...ada, scopes: [] }] });
    const verification = { stripCredentials: true };
    await using api = await startApi({
      resolvers: [FieldsResolver, SecondResolver],
      options: { verification },
      imports: [XPayAuthModule.forRoot({ name: 'two', baseUrl: two.url, verification })],
    });
    expect((await api.query('{ me user second again: second }', asAda)).data).toEqual({
      me: ada.username,
      user: 'user',
      second: 'two',
      again: 'two',
    });
    expect([api.asked(), two.requests()]).toEqual([1, 1]);
    const { data } = await api.query('mutation { pay header paySecond again: pay }', asAda);
    expect(data).toEqual({ pay: ada.username, header: 'none', paySecond: 'two', again: ada.username });
    expect(codes(await api.query('{ second me }', basic(root.username, root.secretKey)))).toContainEqual([
      'UNAUTHENTICATED',
      'invalid_credentials',
    ]);
  });

  it('I13 · on Fastify the request is found as request or reply.request, on Express as req', async () => {
    for (const pick of ['request', 'reply'] as const) {
      await using api = await startApi({
        platform: 'fastify',
        driver: FastifyGraphQLDriver,
        graphql: { context: (request: unknown, reply: unknown) => (pick === 'request' ? { request } : { reply }) },
      });
      expect((await api.query('{ me user }', asAda)).data).toEqual({ me: ada.username, user: 'user' });
      expect(codes(await api.query('{ user }'))).toEqual([UNAUTHENTICATED]);
      expect(codes(await api.query('{ user }', asRoot))).toEqual([FORBIDDEN]);
      expect(api.asked()).toBe(2);
    }
  });

  it('I13 · without a request in the GraphQL context every caller is rejected', async () => {
    await using api = await startApi({ graphql: { context: () => ({ req: { user: { username: 'mallory' } } }) } });
    expect(codes(await api.query('{ me }', asAda))).toEqual([['INTERNAL_SERVER_ERROR', 'configuration']]);
    expect(codes(await api.query('{ optional }'))).toEqual([['INTERNAL_SERVER_ERROR', 'configuration']]);
    expect(api.logged.map(({ line }) => line)).toContainEqual(expect.stringContaining('holds no HTTP request'));
  });
});
