import { describe, expect, it } from '@jest/globals';
import { startGateways } from '../support/gateway-app.js';
import { ada, asAda } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { codeOf, gatewayRules } from './gateway-rules.js';

describe('a WebSocket gateway of ws', () => {
  gatewayRules('ws');

  it('I13 · a socket that nobody accepted says nothing of its handshake: refused, and the log says what to call', async () => {
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

  it('I9 I13 · two sockets of one caller are one question', async () => {
    await using app = await startGateways('ws');
    await using one = await app.open({ path: '/closed', headers: asAda });
    await using two = await app.open({ path: '/open', headers: asAda });
    expect([codeOf(await one.ask('me')), codeOf(await two.ask('me'))]).toEqual([ada.username, ada.username]);
    expect(app.asked()).toBe(1);
  });
});
