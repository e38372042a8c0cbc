import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCluster } from 'redis';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { startXPayEmulator, storeContract } from 'nestjs-xpay-auth/testing';
import { ADA, APP, InstanceFactory, logins } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

const SLOTS = 16_384;
let nodes: RedisServer[];

/** Three masters on loopback that share the slots. */
beforeAll(async () => {
  nodes = [];
  for (let i = 0; i < 3; i++) {
    const bus = String(await freePort());
    nodes.push(await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', bus));
    const [first, last] = [Math.ceil((SLOTS / 3) * i), Math.ceil((SLOTS / 3) * (i + 1)) - 1];
    await nodes[i]?.client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
    await nodes[i]?.client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    if (i > 0) await nodes[i]?.client.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.port ?? 0, await busOf(nodes[0]));
  }
  await until(async () => (await Promise.all(nodes.map(whole))).every(Boolean), 'the cluster is complete');
});

afterAll(() => Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())));

/** Whether this node sees all three, with all slots. */
async function whole(node: RedisServer): Promise<boolean> {
  const info = String(await node.client.call('CLUSTER', 'INFO'));
  return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
}

async function busOf(node: RedisServer | undefined): Promise<number> {
  const answer = await node?.client.config('GET', 'cluster-port');
  return Number((answer as string[] | undefined)?.[1]);
}

const cluster = (): { host: string; port: number }[] => nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
const flush = (): Promise<unknown> => Promise.all(nodes.map((node) => node.client.flushall()));

describe('a Redis Cluster of three nodes', () => {
  for (const { title, run } of storeContract('in a Redis Cluster', async () => {
    await flush();
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    return { open: () => redisStore({ cluster: cluster(), encryptionKeys, ...PATIENT }), stop: () => undefined };
  })) {
    it(title, run);
  }

  for (const { title, run } of storeContract('in a Redis Cluster, with node-redis', async () => {
    await flush();
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    const client = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
    return { open: () => redisStore({ client, encryptionKeys, ...PATIENT }), stop: () => undefined };
  })) {
    it(title, run);
  }

  it('O2 · C5 · serves tokens and sessions as a single server does', async () => {
    await flush();
    await using xpay = await startXPayEmulator({ accounts: [APP, ADA] });
    const instances = new InstanceFactory(xpay, '');
    const boot = () =>
      instances.boot({
        store: redisStore({ cluster: cluster(), encryptionKeys: instances.encryptionKeys, ...PATIENT }),
      });
    await using one = await boot();
    await using other = await boot();
    await using third = await boot();
    const all = [one, other, third];
    const tokens = await Promise.all(
      all.flatMap((instance) => Array.from({ length: 50 }, () => instance.tokens.getToken())),
    );
    expect([new Set(tokens.map(({ value }) => value)).size, logins(xpay)]).toEqual([1, 1]);
    const { accessToken } = await one.sessions.login(ADA);
    for (const { who } of all) expect(await who(`Bearer ${accessToken}`)).toBe(ADA.username);
    await other.sessions.revokeUser(ADA.username);
    await until(async () => (await third.who(`Bearer ${accessToken}`)) === 'invalid_token', 'revoked');
    // One name maps to one slot; many names cover all slots.
    await Promise.all(Array.from({ length: 12 }, () => one.sessions.login(ADA)));
    const sizes = await Promise.all(nodes.map((node) => node.client.dbsize()));
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
  });
});
