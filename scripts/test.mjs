// `npm test`: runs the tests that start no program, with short forms of the fuzzers, the models and the largest crowds, and without
// the fuzzer of growing inputs.
// `npm test -- outbound` runs in full the tests whose path contains `outbound`. `npm run test:all` runs all tests in full.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
/** The specs that import one of these files start a system program, or the built app. */
const STARTERS = ['browser', 'built-app', 'proxy-program', 'redis-server', 'resetting-client'];
/** Specs that have only a long form. */
const LONG_FORMS = ['test/fuzz/growth.spec.ts'];
const SHORT_FORMS = { FUZZ_RUNS: '60', MODEL_TIMES: '0.1', CROWD_SIZE: '1000' };

const args = process.argv.slice(2);
const hasPath = args.some((argument) => !argument.startsWith('-'));
process.exitCode = hasPath ? jest(args).status : runShort();

function runShort() {
  const starters = STARTERS.map((name) => `test/support/${name}.ts`);
  const missing = [...starters, ...LONG_FORMS].filter((path) => !existsSync(resolve(root, path)));
  if (missing.length > 0) throw new Error(`scripts/test.mjs names files that do not exist: ${missing.join(', ')}`);
  const { stdout, status } = jest(['--listTests', '--findRelatedTests', ...starters], { stdio: 'pipe' });
  const omitted = stdout.split('\n').filter((line) => line !== '');
  if (status !== 0) throw new Error('jest did not list the specs that start programs');
  console.log(
    `Omitted: ${omitted.length} specs that start programs, and ${LONG_FORMS.join(', ')}. \`npm run check\` runs them.\n`,
  );
  const patterns = [
    '/node_modules/',
    ...[...omitted, ...LONG_FORMS].map((path) => path.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')),
  ];
  const env = { ...SHORT_FORMS, ...process.env };
  return jest([...args, `--testPathIgnorePatterns=${patterns.join('|')}`], { env }).status;
}

function jest(options, settings = {}) {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const all = { cwd: root, stdio: 'inherit', encoding: 'utf8', ...settings };
  return spawnSync(process.execPath, [...flags, ...options], all);
}
