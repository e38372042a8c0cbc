import { type ContractCase, casesOf } from './contract-case.js';
import { apiCases } from './dialect-contract-api.js';
import { loginCases, refreshCases } from './dialect-contract-login.js';
import { type DialectStage, playing } from './dialect-contract-stage.js';
import { troubleCases } from './dialect-contract-trouble.js';

/**
 * The contract of a dialect, as cases for any test runner. `setup` is called for each case.
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
 * The cases take a second or two, and use real sockets on 127.0.0.1. Your stand-in only has to behave like an upstream without
 * failures. The contract starts another server that simulates failures.
 */
export function dialectContract(
  name: string,
  setup: () => DialectStage | Promise<DialectStage>,
): readonly ContractCase[] {
  const plays = { ...loginCases, ...troubleCases, ...refreshCases, ...apiCases };
  return casesOf(name, plays, (play) => playing(setup, play));
}
