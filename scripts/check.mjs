// `npm run check`: runs all required checks in order. The first step that fails ends the run. The last line is always
// the summary of the tests. The exit code is 0 only if every step passed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { installMissing } from './check/install-missing.mjs';

const root = resolve(import.meta.dirname, '..');
const results = join(root, '.check/results.json');

const steps = [
  { name: 'build', npm: ['run', 'build'] },
  { name: 'typecheck', npm: ['run', 'typecheck'] },
  { name: 'lint', npm: ['run', 'lint'] },
  { name: 'format', npm: ['run', 'format:check'] },
  { name: 'prose', npm: ['run', 'prose'] },
  { name: 'docs', npm: ['run', 'docs'] },
  { name: 'tests', npm: ['run', 'test:all', '--', '--json', `--outputFile=${results}`] },
];

// Removes the results of an earlier run, so that they are never reported as results of this run.
rmSync(results, { force: true });
mkdirSync(dirname(results), { recursive: true });

installMissing(print);
const broken = steps.find((step) => !passes(step));
const summary = summarize(readResults(), broken);
for (const line of summary.skipped) print(`skipped: ${line}`);
if (broken !== undefined) print(`\nFAILED: the step "${broken.name}"; its output is above`);
else if (summary.passed === 0) print('\nFAILED: no test ran');
print(
  `${summary.passed} passed, ${summary.failed} failed` +
    (summary.skipped.length > 0 ? `, ${summary.skipped.length} skipped` : ''),
);
process.exitCode = broken === undefined && summary.failed === 0 && summary.passed > 0 ? 0 : 1;

/** Runs one step under its heading, with its own output visible, and prints how long it took. */
function passes({ name, npm }) {
  print(`\n== ${name} ==`);
  const startedAt = performance.now();
  const { status, error } = spawnSync('npm', npm, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (error !== undefined) print(`npm could not be started: ${error.message}`);
  const passed = status === 0;
  print(`-- ${name}: ${passed ? 'passed' : 'failed'} in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  return passed;
}

/** The report of jest, or `undefined` if jest wrote none. */
function readResults() {
  try {
    return JSON.parse(readFileSync(results, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Counts a failure when a spec does not load, or when a step before the tests fails: neither has test results. */
function summarize(report, broken) {
  const failed = (report?.numFailedTests ?? 0) + (report?.numRuntimeErrorTestSuites ?? 0);
  return {
    passed: report?.numPassedTests ?? 0,
    failed: broken !== undefined && failed === 0 ? 1 : failed,
    skipped: (report?.testResults ?? []).flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status === 'pending' || status === 'todo' || status === 'skipped')
        .map(({ fullName }) => `${fullName} (${relative(root, name)})`),
    ),
  };
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
