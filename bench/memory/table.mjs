// Memory of one cached credential and of one idle account, and the limit of the cache.
import { fileURLToPath } from 'node:url';
import { spread } from '../figures/statistics.mjs';
import { withProcesses } from '../machine/child.mjs';
import { SERVER_CORE } from '../machine/cores.mjs';

const ACCOUNTS = fileURLToPath(new URL('accounts.mjs', import.meta.url));
const HEAP = fileURLToPath(new URL('heap.mjs', import.meta.url));

const ROWS = [
  { id: 'remembered', name: '100,000 callers, `maxEntries: 100_000`', callers: 100_000, maxEntries: 100_000 },
  { id: 'kept', name: 'the same, with `keepUpstreamToken`', callers: 100_000, maxEntries: 100_000, keep: true },
  { id: 'bounded', name: '100,000 callers, `maxEntries: 10_000`', callers: 100_000, maxEntries: 10_000 },
  {
    id: 'accounts',
    name: '10,000 idle accounts of `forAccount`, each with a token of 256 characters',
    script: ACCOUNTS,
    callers: 10_000,
    maxEntries: 10_000,
  },
];

export async function measure({ rounds = 5, say }) {
  const samples = new Map(ROWS.map((row) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const row of ROWS) {
      await withProcesses(async (start) => {
        const args = [row.callers, row.maxEntries, ...(row.keep ? ['keep'] : [])];
        const { ready } = await start(row.script ?? HEAP, { core: SERVER_CORE, args, flags: ['--expose-gc'] });
        samples.get(row).push(ready);
      });
    }
  }
  return {
    rows: ROWS.map((row) => ({
      ...row,
      bytes: spread(samples.get(row).map(({ bytes }) => bytes)),
      remembered: spread(samples.get(row).map(({ remembered }) => remembered)),
      perEntry: spread(samples.get(row).map(({ bytes }) => bytes / row.maxEntries)),
    })),
  };
}
