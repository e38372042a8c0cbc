// Prepares a run: installs the other libraries and builds this one. It imports no package that has to be installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

const bench = resolve(import.meta.dirname, '..');
const root = resolve(bench, '..');

/** Installs missing libraries in the locked versions, and builds this library. Builds the reference app if it is measured. */
export function prepare({ app = true } = {}) {
  const lock = createHash('sha256')
    .update(readFileSync(join(bench, 'package-lock.json')))
    .digest('hex');
  const note = join(bench, 'node_modules/.bench-lock');
  if (!existsSync(note) || readFileSync(note, 'utf8') !== lock) {
    // No script of a package runs. That of chromedriver, which keycloak-connect requires, would download a program.
    run('npm', ['ci', '--no-audit', '--ignore-scripts'], bench);
    writeFileSync(note, lock);
  }
  run('npm', ['run', app ? 'build' : 'build:library'], root);
}

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}
