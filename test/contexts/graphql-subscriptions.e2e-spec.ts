import { describe, expect, it } from '@jest/globals';
import { Int, Resolver, Subscription } from '@nestjs/graphql';
import { CurrentUser, type Principal, Scopes } from 'nestjs-xpay-auth';
import { type Api, FieldsResolver, startApi } from '../support/graphql-app.js';
import { type Came, connect } from '../support/graphql-ws-client.js';
import { ada, asAda, asRoot, root } from '../support/inbound-app.js';

@Resolver()
class TicksResolver {
  @Scopes('tme_user')
  @Subscription(() => Int)
  async *ticks(@CurrentUser() { username }: Principal): AsyncGenerator<{ ticks: number }> {
    for (const ticks of [1, 2, username.length]) yield await Promise.resolve({ ticks });
  }
}

const startSubscriptions = (): Promise<Api> =>
  startApi({ resolvers: [FieldsResolver, TicksResolver], graphql: { subscriptions: { 'graphql-ws': true } } });

function codes(came: Came[]): unknown[] {
  return came.flatMap(({ type, payload }) => {
    const errors = type === 'error' ? payload : (payload as { errors?: unknown } | undefined)?.errors;
    return ((errors ?? []) as { extensions: { errorCode?: string } }[]).map(({ extensions }) => extensions.errorCode);
  });
}

const data = (came: Came[]): unknown[] =>
  came.flatMap(({ type, payload }) => (type === 'next' ? [(payload as { data: unknown }).data] : []));

describe('GraphQL over graphql-ws', () => {
  it('I13 · accepts the permitted callers of a subscription, by connectionParams or the header of the upgrade', async () => {
    await using api = await startSubscriptions();
    const { username, secretKey } = ada;
    for (const opening of [{ params: { username, secretKey } }, { headers: asAda }]) {
      await using connection = await connect(api.url, opening);
      expect(data(await connection.run('subscription { ticks }'))).toEqual([
        { ticks: 1 },
        { ticks: 2 },
        { ticks: username.length },
      ]);
    }
    await using other = await connect(api.url, { headers: asRoot });
    expect(codes(await other.run('subscription { ticks }'))).toEqual(['insufficient_scope']);
    await using nobody = await connect(api.url, {});
    expect(codes(await nobody.run('subscription { ticks }'))).toEqual(['missing_credentials']);
    expect(api.asked()).toBe(2);
  });

  it('I10 I13 · decides separately for each operation of a connection, and once for its fields', async () => {
    await using api = await startSubscriptions();
    const { accessToken } = await api.sessions.login(root);
    await using connection = await connect(api.url, { params: { token: accessToken } });
    expect(data(await connection.run('{ me either }'))).toEqual([{ me: root.username, either: 'either' }]);
    await api.sessions.logout(accessToken);
    expect(codes(await connection.run('{ me }'))).toEqual(['invalid_token']);
    await using basic = await connect(api.url, { headers: asAda });
    expect(data(await basic.run('{ me user }'))).toEqual([{ me: ada.username, user: 'user' }]);
    expect(api.asked()).toBe(2);
    api.xpay.removeAccount(ada.username);
    await api.clock.advance(60_001);
    expect(codes(await basic.run('{ a: me b: me c: me }'))).toContain('invalid_credentials');
    expect(api.asked()).toBe(3);
  });
});
