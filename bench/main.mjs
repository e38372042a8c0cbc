// `npm run bench`: installs the other libraries, builds, measures every table and writes docs/benchmarks.md. See `-- --help`.
import { parseArgs } from 'node:util';
import { TABLES, readResults, saveResults } from './figures/results.mjs';
import { holdTo, LOAD_CORE } from './machine/cores.mjs';
import { prepare } from './machine/ready.mjs';

const HELP = `npm run bench -- [table …] [options]

Tables: ${TABLES.join(', ')} (default: all except soak, which takes ten minutes)

--rounds <n>         fresh processes for each row (the default depends on the table, at least 3)
--pairs <n>          pairs of slices of each row of the table inbound (40)
--soak-minutes <n>   duration of the table soak (10)
--resume             skips tables that were measured with the present build
--only <id,…>        measures and prints these rows of the table inbound, without recording them
--write              only writes docs/benchmarks.md from bench/results/`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    pairs: { type: 'string' },
    'soak-minutes': { type: 'string' },
    only: { type: 'string' },
    resume: { type: 'boolean' },
    write: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const unknown = positionals.find((table) => !TABLES.includes(table));
if (values.help || unknown !== undefined) {
  console.log(unknown === undefined ? HELP : `There is no table "${unknown}".\n\n${HELP}`);
  process.exit(unknown === undefined ? 0 : 1);
}
if (!values.write) prepare();
// These imports are dynamic, because the modules need packages that are installed only above.
const { circumstances, buildOf } = await import('./machine/circumstances.mjs');
const { tableOf, writeDocument } = await import('./figures/write.mjs');
holdTo(LOAD_CORE);

const wanted = positionals.length > 0 ? positionals : TABLES.filter((table) => table !== 'soak');
for (const table of values.write ? [] : wanted) await measureTable(table);
if (values.only === undefined) console.log(await writeDocument(wanted));
process.exit();

async function measureTable(table) {
  if (values.resume && readResults(table)?.build === buildOf())
    return console.error(`${table}: measured with this build`);
  const startedAt = performance.now();
  const { measure } = await import(`./${table}/table.mjs`);
  const only = values.only?.split(',');
  const measured = await measure({
    ...(values.rounds !== undefined && { rounds: Number(values.rounds) }),
    ...(values.pairs !== undefined && { pairs: Number(values.pairs) }),
    ...(values['soak-minutes'] !== undefined && { minutes: Number(values['soak-minutes']) }),
    ...(only !== undefined && { only: ({ id }) => only.includes(id) }),
    say: (line) => console.error(`${table}: ${line}`),
  });
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const results = { table, ...circumstances(), seconds, ...measured };
  if (only === undefined) saveResults(table, results);
  else console.log(tableOf(results));
  console.error(`${table}: took ${seconds} s`);
}
