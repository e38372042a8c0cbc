import { describe, expect, it } from '@jest/globals';
import { axiosTransport, createAxios } from '../../http/axios-transport.js';
import type { Transport, TransportAnswer, TransportRequest } from '../../http/transport.js';
import { transportContract } from './transport-contract.js';

/** Transports that break the contract in one place each. */
const FAULTY: Readonly<Record<string, (transport: Transport) => Transport>> = {
  'sends another method': (transport) => (request) => transport({ ...request, method: 'POST' }),
  'sends another path': (transport) => (request) => transport({ ...request, url: request.url.replace('%2F', '/') }),
  'sends no token': (transport) => (request) => transport(without(request, 'authorization')),
  'sends no media type': (transport) => (request) => transport(without(request, 'content-type')),
  'changes the body': (transport) => (request) => transport({ ...request, body: request.body && `${request.body} ` }),
  'returns another status': (transport) => async (request) => ({ ...(await transport(request)), status: 200 }),
  'returns names of headers in upper case': (transport) => async (request) => upperCase(await transport(request)),
};

describe('E10 · the contract of a transport', () => {
  it.each(Object.keys(FAULTY))('fails for a transport that %s', async (fault) => {
    const faulty = FAULTY[fault] ?? ((transport) => transport);
    const stage = {
      create: (settings: Parameters<typeof createAxios>[0]) => faulty(axiosTransport(createAxios(settings))),
    };
    const cases = transportContract('faulty', { ...stage, usesAgents: true }).filter(({ title }) =>
      /as they are|any status/.test(title),
    );
    expect(cases).toHaveLength(2);
    const outcomes = await Promise.allSettled(cases.map(({ run }) => run()));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});

function without({ headers, ...request }: TransportRequest, name: string): TransportRequest {
  return {
    ...request,
    headers: Object.fromEntries(Object.entries(headers).filter(([each]) => each.toLowerCase() !== name)),
  };
}

function upperCase({ headers, ...answer }: TransportAnswer): TransportAnswer {
  return {
    ...answer,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value])),
  };
}
