import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { transportContract } from '../testing/kit/transport-contract.js';
import { axiosTransport, createAxios } from './axios-transport.js';

describe('E10 · the contract of a transport', () => {
  const stage = {
    create: (settings: Parameters<typeof createAxios>[0]) => axiosTransport(createAxios(settings)),
    usesAgents: true,
  };
  for (const { title, run } of transportContract('axios', stage)) it(title, run);
});

describe('an agent that the app also uses for requests of its own', () => {
  it('E10 · keeps a connection that carries such a request', async () => {
    const answers: ServerResponse[] = [];
    const server = createServer((received, answer) => {
      answers.push(answer);
      if (received.url === '/') answer.end('ok');
      else answer.write('o');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const transport = axiosTransport(
        createAxios({ timeoutMs: 5_000, maxResponseBytes: 1_000, agent: { http: agent } }),
      );
      await transport({ url, method: 'GET', headers: {}, signal: new AbortController().signal });
      const own = request(`${url}own`, { agent }).end();
      const [response] = (await once(own, 'response')) as [IncomingMessage];
      answers[1]?.end('k');
      expect([await text(response), own.reusedSocket]).toEqual(['ok', true]);
    } finally {
      agent.destroy();
      server.close();
    }
  });
});
