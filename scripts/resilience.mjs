// Runs the outbound tests and puts what they measured into the table of docs/resilience.md: `npm run resilience`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import prettier from 'prettier';

/** What must be true in each row. Figures and tests are found by the row's name. */
const ROWS = {
  O1: 'callers without a token share one request',
  O3: 'a rejected token: never again, 1 renewal, then 5 s apart',
  O4: 'our account refused: 1 request per doubling period',
  O5: 'upstream down: served to the hard margin, ≤ 2 requests',
  O6: 'upstream slow while the token is due: nobody waits',
  O7: 'a caller who aborts takes nobody along',
  O8: 'an outage at a random moment: 840 s on 1 h felt in ≤ 0.5 %',
  O9: 'after an outage callers fail for ≤ 1 s more',
  O10: 'clocks that jump or disagree: no dead token',
  O11: 'lives of any length: renewed behind the caller',
  O12: 'expiry unknown or nonsense: no loop, never for ever',
  O13: 'Retry-After: honoured, capped by what is left',
  O14: 'credentials rotate: read again when refused',
  O15: 'a rejected call: one renewal, one retry, no second payment',
  O16: 'without a token: a typed error, nothing sent',
  O17: 'secrets in errors, services, logs, answers: none',
  O19: 'module destroyed during a refresh: nothing left',
  E3: 'a machine that slept: no dead token',
  E4: 'wrong clocks, short lives: no dead token',
  E7: 'an expiry in the year 9999: accepted, capped',
};

const root = resolve(import.meta.dirname, '..');
const document = join(root, 'docs/resilience.md');
const [BEGIN, END] = ['<!-- figures: written by `npm run resilience` -->', '<!-- end of figures -->'];

const place = mkdtempSync(join(tmpdir(), 'resilience-'));
try {
  const [figuresFile, resultsFile] = [join(place, 'figures.jsonl'), join(place, 'results.json')];
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest];
  const { status } = spawnSync(
    process.execPath,
    [...flags, 'test/outbound', '--json', `--outputFile=${resultsFile}`, '--silent'],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, RESILIENCE_FIGURES: figuresFile } },
  );
  if (status !== 0 || !existsSync(figuresFile)) throw new Error('the outbound tests failed; the table stays as it is');

  const text = readFileSync(document, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/resilience.md lacks ${BEGIN} and ${END}`);
  const table = tableOf(figuresOf(figuresFile), testsOf(resultsFile));
  const written = `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`;
  const options = (await prettier.resolveConfig(document)) ?? {};
  writeFileSync(document, await prettier.format(written, { ...options, parser: 'markdown' }));
  console.log(table);
} finally {
  rmSync(place, { recursive: true, force: true });
}

/** Row → lines of situation and figure, in their order, each once. */
function figuresOf(file) {
  const byRow = new Map();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { row, situation, measured } = JSON.parse(line);
    byRow.set(row, (byRow.get(row) ?? new Set()).add(`${situation} | **${measured}**`));
  }
  return byRow;
}

/** Row → how many tests name it. All of them have passed, or we would not be here. */
function testsOf(file) {
  const byRow = new Map();
  const { testResults } = JSON.parse(readFileSync(file, 'utf8'));
  for (const { title } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
    const named = /^((?:[EO]\d+ )+)·/.exec(title)?.[1] ?? '';
    for (const row of named.trim().split(' ').filter(Boolean)) byRow.set(row, (byRow.get(row) ?? 0) + 1);
  }
  return byRow;
}

function tableOf(figures, tests) {
  const lines = Object.entries(ROWS).flatMap(([row, target]) => {
    const count = tests.get(row) ?? 0;
    const measured = [...(figures.get(row) ?? [])].toSorted((one, other) =>
      one.localeCompare(other, 'en', { numeric: true }),
    );
    if (count === 0 || measured.length === 0) throw new Error(`no test or no figure names the row ${row}`);
    return measured.map((line, at) => (at === 0 ? `| ${row} | ${target} | ${line} | ${count} |` : `| | | ${line} | |`));
  });
  return ['| row | what must be true | situation | measured | tests |', '|---|---|---|---|---|', ...lines].join('\n');
}
