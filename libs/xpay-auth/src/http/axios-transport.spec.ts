import { describe, it } from '@jest/globals';
import { transportContract } from '../testing/kit/transport-contract.js';
import { axiosTransport, createAxios } from './axios-transport.js';

describe('E10 · the contract of a transport', () => {
  const stage = {
    create: (settings: Parameters<typeof createAxios>[0]) => axiosTransport(createAxios(settings)),
    usesAgents: true,
  };
  for (const { title, run } of transportContract('axios', stage)) it(title, run);
});
