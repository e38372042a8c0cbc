// Adds the packed library to apps with many combinations of tools: part of `npm run check:packages`, and alone by
// `npm run matrix`. `-- --only 7` runs one combination, `-- --from 7` the seventh and later, `-- --resume` those that
// have not passed in an earlier run, `-- --smoke` one app of each Nest.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeApp } from './matrix/app.mjs';
import { checkApp } from './matrix/check-app.mjs';
import { startRegistry } from './matrix/registry.mjs';
import { writeReport } from './matrix/report.mjs';
import { Tools } from './matrix/tools.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    from: { type: 'string', default: '1' },
    resume: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const root = resolve(import.meta.dirname, '..');
const library = join(root, 'libs/xpay-auth');
const cache = join(root, '.check/matrix');
const combinations = JSON.parse(readFileSync(join(import.meta.dirname, 'matrix/combinations.json'), 'utf8'));
const resultsFile = join(cache, 'results.json');

const place = mkdtempSync(join(realpathSync(tmpdir()), 'xpay-auth-matrix-'));
mkdirSync(cache, { recursive: true });
/** The results of earlier runs, by combination. `--only` and `--from` add to them. */
const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};
const numbers = chosen();
const manifest = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
const shell = process.platform === 'win32';
execFileSync('npm', ['run', 'build:library', '--silent'], { cwd: root, stdio: 'inherit', shell });
execFileSync('npm', ['pack', '--silent', '--pack-destination', place], { cwd: library, shell });
const registry = await startRegistry({ tarball: join(place, `${manifest.name}-${manifest.version}.tgz`), manifest });
const tools = new Tools(cache);
try {
  for (const number of numbers) await check(number, combinations[number - 1]);
} finally {
  registry.close();
  if (!options.keep) rmSync(place, { recursive: true, force: true });
}
const failed = numbers.filter((number) => resultOf(combinations[number - 1]).error !== undefined);
if (combinations.every((combination) => resultOf(combination)?.error === undefined && resultOf(combination))) {
  await writeReport(root, combinations, combinations.map(resultOf));
}
console.log(`matrix: ${numbers.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function check(number, combination) {
  const name = nameOf(combination);
  const app = join(place, `app-${number}`);
  const startedAt = performance.now();
  let step = 'starter';
  let log = '';
  process.stdout.write(`[${number}/${combinations.length}] Nest ${name} ... `);
  let error;
  try {
    makeApp(app, await tools.starter(combination.nest.split(' ')[0]), combination);
    const env = await tools.environment(combination, registry.url);
    writeFileSync(join(app, '.npmrc'), `registry=${registry.url}\n`);
    await checkApp(
      app,
      combination,
      env,
      (next) => (step = next),
      (output) => (log += `${output}\n`),
    );
  } catch (thrown) {
    error = `${step}: ${thrown.message}`;
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(error === undefined ? `ok ${seconds} s` : `FAILED ${seconds} s\n${error}`);
  results[nameOf(combination)] = error === undefined ? { seconds } : { error };
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(cache, `app-${number}.log`), log + (error ?? ''));
  if (!options.keep) rmSync(app, { recursive: true, force: true });
}

function nameOf(combination) {
  return Object.values(combination).join(', ');
}

function resultOf(combination) {
  return results[nameOf(combination)];
}

/** The numbers of the combinations to run. */
function chosen() {
  const all = combinations.map((_, index) => index + 1);
  if (options.only !== undefined) return options.only.split(',').map(Number);
  if (options.resume) return all.filter((number) => resultOf(combinations[number - 1])?.seconds === undefined);
  if (!options.smoke) return all.slice(Number(options.from) - 1);
  return ['11', '12'].map(
    (nest) => combinations.findIndex((one) => one.nest.startsWith(nest) && one.manager === 'npm') + 1,
  );
}
