import { describe, expect, it } from '@jest/globals';
import type { CredentialsExtractor } from 'nestjs-xpay-auth';
import type { Server } from 'node:http';
import { startGateways } from '../support/gateway-app.js';
import { ada, asAda, wrong } from '../support/inbound-app.js';
import { openConnection } from '../support/resetting-client.js';
import { settled } from '../support/settled.js';
import { until } from '../support/until.js';
import { codeOf, gatewayRules } from './gateway-rules.js';

describe('a WebSocket gateway of ws', () => {
  gatewayRules('ws');

  it('I13 · a socket without accept has no readable handshake: it is rejected, and the log names the method to call', async () => {
    await using app = await startGateways('ws');
    await using client = await app.open({ path: '/bare', headers: asAda });
    expect(codeOf(await client.ask('me'))).toBe('configuration');
    expect(app.asked()).toBe(0);
    expect(app.logged.map(({ line }) => line)).toContainEqual(
      expect.stringContaining('XPayHandshake.accept(this, client, request)'),
    );
  });

  it('I9 I13 · two Authorization lines are ambiguous', async () => {
    await using app = await startGateways('ws');
    const headers = { authorization: [asAda.authorization, asAda.authorization] };
    await using client = await app.open({ path: '/closed', headers });
    await settled(() => client.closed() !== false);
    expect([client.received.map(codeOf), client.closed(), app.asked()]).toEqual([['invalid_request'], 1008, 0]);
    expect(app.seen.accepted).toEqual([undefined]);
  });

  it('I13 · an extractor reads credentials where browsers can send them: the query of the upgrade, a cookie', async () => {
    const ticket: CredentialsExtractor = {
      scheme: 'Ticket',
      extract: ({ handshake, headers }) => {
        const token =
          /[?&]ticket=([^&]+)/.exec(handshake?.url ?? '')?.[1] ?? /ticket=(\S+)/.exec(headers.cookie ?? '')?.[1];
        return token === undefined ? undefined : { token };
      },
    };
    await using app = await startGateways('ws', { verification: { extractors: ['basic', ticket] } });
    const { accessToken } = await app.sessions.login(ada);
    await using byQuery = await app.open({ path: `/closed?ticket=${accessToken}` });
    await using byCookie = await app.open({ path: '/closed', headers: { cookie: `ticket=${accessToken}` } });
    expect([codeOf(await byQuery.ask('me')), codeOf(await byCookie.ask('me'))]).toEqual([ada.username, ada.username]);
    await app.sessions.logout(accessToken);
    expect(codeOf(await byQuery.ask('me'))).toBe('invalid_token');
    expect(app.asked()).toBe(1);
  });

  it('D2 · counts a caller whose connection was reset right after the upgrade', async () => {
    await using app = await startGateways('ws', { verification: { maxConcurrent: 2_000 } });
    const server = app.app.getHttpServer() as Server;
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const connections = [];
    for (let i = 0; i < 20; i++) connections.push(await openConnection('http', server, '/closed'));
    for (const [i, sendAndReset] of connections.entries()) sendAndReset({ ...upgrade, ...wrong(i) });
    await until(() => app.events.length === 20, '20 refusals');
    expect(app.asked()).toBe(10);
    expect(new Set(app.events.map((event) => 'address' in event && event.address))).toEqual(new Set(['127.0.0.1']));
  });

  it('I9 I13 · two sockets of one caller cause one upstream call', async () => {
    await using app = await startGateways('ws');
    await using one = await app.open({ path: '/closed', headers: asAda });
    await using two = await app.open({ path: '/open', headers: asAda });
    expect([codeOf(await one.ask('me')), codeOf(await two.ask('me'))]).toEqual([ada.username, ada.username]);
    expect(app.asked()).toBe(1);
  });
});
