import { describe, it, jest } from '@jest/globals';
import { transportContract } from '../testing/kit/transport-contract.js';
import type { TransportSettings } from './transport.js';

jest.unstable_mockModule('undici', () => import('undici-6'));
const { undiciTransport } = await import('./undici-transport.js');

describe('E10 · the contract of a transport, with undici 6', () => {
  const stage = {
    create: (settings: TransportSettings) => undiciTransport().open(settings),
    usesAgents: false,
  };
  for (const { title, run } of transportContract('undici 6', stage)) it(title, run);
});
