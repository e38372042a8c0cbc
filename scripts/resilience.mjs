// Runs the outbound tests and writes their measurements to the table of docs/resilience.md: `npm run resilience`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import prettier from 'prettier';

/** The requirement of each row. The code of a row leads to its figures and tests. */
const ROWS = {
  O1: 'callers without a token share one request',
  O3: 'a rejected token is never returned; one renewal, further renewals 5 s apart',
  O4: 'app account rejected: one request per period, which doubles each time',
  O5: 'upstream down: the token is returned until the hard margin, ≤ 2 requests for 200 calls at one moment',
  O6: 'upstream slow while a renewal is due: no caller waits',
  O7: 'aborting detaches only that caller',
  O8: 'outages at random moments: with tokens of 1 h, ≤ 0.5 % of outages of up to 840 s cause a failed call',
  O9: 'calls succeed again ≤ 1 s after the end of an outage',
  O10: 'clocks jump or disagree: no expired token is returned',
  O11: 'lifetimes of any length: renewed in the background',
  O12: 'expiry unknown or invalid: no repeated requests, no unlimited lifetime',
  O13: 'Retry-After is followed, but not beyond the remaining lifetime',
  O14: 'credentials are read again when the upstream rejects them',
  O15: 'a call with a rejected token: one renewal, one repetition, no second payment',
  O16: 'without a token: an `XPayAuthError`, and the call is not sent',
  O17: 'no secrets in errors, services, logs, answers',
  O19: 'module destroyed during a renewal: no timers and no sockets remain',
  E3: 'the machine slept: no expired token is returned',
  E4: 'wrong clocks, short lifetimes: no expired token is returned',
  E5: 'a rejected token is issued again: accepted after 5 s',
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
  if (status !== 0 || !existsSync(figuresFile)) throw new Error('the outbound tests failed; the table was not changed');

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

/** Returns the lines of situation and figure by row, in order, without duplicates. */
function figuresOf(file) {
  const byRow = new Map();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { row, situation, measured } = JSON.parse(line);
    byRow.set(row, (byRow.get(row) ?? new Set()).add(`${situation} | **${measured}**`));
  }
  return byRow;
}

/** Returns the number of tests that name each row. All of them have passed, because a failure ends the script earlier. */
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
  return ['| row | requirement | situation | measured | tests |', '|---|---|---|---|---|', ...lines].join('\n');
}
