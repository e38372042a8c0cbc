import type { ContractCase } from './contract-case.js';
import { apiCases } from './dialect-contract-api.js';
import { loginCases } from './dialect-contract-login.js';
import { refreshCases } from './dialect-contract-refresh.js';
import { type DialectStage, type Play, playing } from './dialect-contract-stage.js';
import { troubleCases } from './dialect-contract-trouble.js';

/**
 * What every dialect must do, as cases for any test runner. `setup` is called anew for each of them.
 *
 * ```ts
 * // jest, vitest
 * describe('my dialect', () => {
 *   for (const { title, run } of dialectContract('mine', setup)) it(title, run);
 * });
 *
 * // node:test
 * for (const { title, run } of dialectContract('mine', setup)) test(title, run);
 * ```
 *
 * Takes a second or two, over real sockets on 127.0.0.1. Your stand-in only has to behave well: what goes wrong in a case is
 * answered by a server of the contract's own.
 */
export function dialectContract(
  name: string,
  setup: () => DialectStage | Promise<DialectStage>,
): readonly ContractCase[] {
  const plays: Readonly<Record<string, Play>> = { ...loginCases, ...troubleCases, ...refreshCases, ...apiCases };
  return Object.entries(plays).map(([sentence, play]) => ({
    title: `${name} ${sentence}`,
    run: () => playing(setup, play),
  }));
}
