// Runs the outbound tests and puts what they measured into the table of docs/resilience.md: `npm run resilience`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import prettier from 'prettier';

/** The rows: what happens, and what is to be true then. Figures and tests are found by the row's name. */
const ROWS = {
  O1: ['1,000 callers, nothing at hand', '1 request'],
  O3: ['The API rejected the token', '1 renewal; nobody is handed it again; renewals after rejections 5 s apart'],
  O4: ['Our own account is refused', '1 request per period of 1 s, doubling to 60 s; new credentials clear it at once'],
  O5: ['Upstream down, token still valid', 'everybody is served down to the hard margin, 2 requests at most'],
  O6: ['Upstream slow while the token is due', 'callers wait 0 ms'],
  O7: ['A caller aborts', 'nobody else fails'],
  O8: ['Upstream down for a while, at a random moment', 'tokens of 1 h, 840 s: at most 0.5 % of outages felt'],
  O9: ['Upstream back', 'callers fail for 1 s more at most'],
  O10: ['Wall clock steps, machine sleeps, upstream’s clock is off', 'no dead token is handed out'],
  O11: ['Tokens of 2 s to 1,000 days', 'usable, renewed behind the caller, no request too many'],
  O12: ['Expiry unknown or nonsense', 'a fallback life, or `upstream_malformed`; never for ever, never a loop'],
  O13: ['Upstream asks to slow down', 'honoured, up to what is left of the token; 60 s without one'],
  O14: ['Credentials rotate at run time', 'read again when refused, tried once, no restart'],
  O15: ['An API call is rejected for its token', 'one renewal, one immediate retry, and no second payment'],
  O16: ['No token can be had', 'a typed error with its cause; never an anonymous request'],
  O17: ['Secrets in errors, services, tokens, logs, answers', 'none'],
  O19: ['Module destroyed during a refresh', 'callers are told; no timer, socket or rejection left'],
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

/** Row → lines of `situation: measured`, in their order, each once. */
function figuresOf(file) {
  const byRow = new Map();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { row, situation, measured } = JSON.parse(line);
    byRow.set(row, (byRow.get(row) ?? new Set()).add(`${situation}: **${measured}**`));
  }
  return byRow;
}

/** Row → how many tests name it. All of them have passed, or we would not be here. */
function testsOf(file) {
  const byRow = new Map();
  const { testResults } = JSON.parse(readFileSync(file, 'utf8'));
  for (const { title } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
    const named = /^((?:O\d+ )+)·/.exec(title)?.[1] ?? '';
    for (const row of named.trim().split(' ').filter(Boolean)) byRow.set(row, (byRow.get(row) ?? 0) + 1);
  }
  return byRow;
}

function tableOf(figures, tests) {
  const rows = Object.entries(ROWS).map(([row, [situation, target]]) => {
    const count = tests.get(row) ?? 0;
    if (count === 0) throw new Error(`no test names the row ${row}`);
    const measured = [...(figures.get(row) ?? [])].join('<br>');
    return `| ${row} | ${situation} | ${target} | ${measured} | ${count} |`;
  });
  return ['| | what happens | what must be true | measured | tests |', '|---|---|---|---|---|', ...rows].join('\n');
}
