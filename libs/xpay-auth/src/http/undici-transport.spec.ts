import { describe, it } from '@jest/globals';
import { transportContract } from '../testing/kit/transport-contract.js';
import { undiciTransport } from './undici-transport.js';
import type { TransportSettings } from './transport.js';

describe('E10 · the contract of a transport', () => {
  const stage = {
    create: (settings: TransportSettings) => undiciTransport().open(settings),
    usesAgents: false,
  };
  for (const { title, run } of transportContract('undici', stage)) it(title, run);
});
