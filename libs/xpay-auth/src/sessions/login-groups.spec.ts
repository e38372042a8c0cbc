import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from '../async/promises.js';
import { LoginGroups } from './login-groups.js';

/** Logins with one key, whose checks are joined as in the verifier. */
function stage(outcome: (call: number) => Promise<string>) {
  const [groups, flights] = [new LoginGroups<string>(), new SingleFlight<string>()];
  let calls = 0;
  const login = (): Promise<string> => groups.run('ada', () => flights.run('ada', () => outcome(++calls)));
  return { login, calls: () => calls };
}

const times = <T>(count: number, run: () => T): T[] => Array.from({ length: count }, run);

describe('LoginGroups', () => {
  it('D7 · at most ten concurrent logins share one check', async () => {
    const { login, calls } = stage(async (call) => `check ${call}`);
    const checks = await Promise.all(times(25, login));
    const sizes = [...new Set(checks)].map((check) => checks.filter((one) => one === check).length);
    expect([sizes, calls()]).toEqual([[10, 10, 5], 3]);
    expect(await login()).toBe('check 4');
  });

  it('D7 · a failure is the failure of all logins that wait, and of no later one', async () => {
    const { login, calls } = stage((call) => (call === 1 ? Promise.reject(new Error('away')) : Promise.resolve('ok')));
    const outcomes = await Promise.allSettled(times(25, login));
    expect([new Set(outcomes.map(({ status }) => status)), calls()]).toEqual([new Set(['rejected']), 1]);
    expect(await login()).toBe('ok');
  });
});
