import { type ContractCase, casesOf } from './contract-case.js';
import { connectionCases } from './transport-contract-connections.js';
import { requestCases } from './transport-contract-requests.js';
import { RawServer, TransportRig, type TransportStage } from './transport-contract-stage.js';

/**
 * The contract of a transport, as cases for any test runner. The cases use servers on 127.0.0.1 that write exact bytes.
 *
 * ```ts
 * describe('my transport', () => {
 *   for (const { title, run } of transportContract('mine', stage)) it(title, run);
 * });
 * ```
 */
export function transportContract(name: string, stage: TransportStage): readonly ContractCase[] {
  return casesOf(name, { ...requestCases, ...connectionCases }, async (play) => {
    const server = new RawServer();
    await server.start();
    try {
      await play(new TransportRig(stage, server));
    } finally {
      await server.stop();
    }
  });
}
