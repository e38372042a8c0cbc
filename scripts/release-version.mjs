// Turns the changesets into a version and a section of the CHANGELOG: `npm run release:version`. The tool changesets does not
// update the version of the library in the root package.json and in the lockfile. This script does.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const run = (command, ...args) => execFileSync(command, args, { cwd: root, stdio: 'inherit' });

run('npx', 'changeset', 'version');
const { name, version } = JSON.parse(readFileSync(join(root, 'libs/xpay-auth/package.json'), 'utf8'));
run('npm', 'pkg', 'set', `dependencies.${name}=^${version}`);
run('npm', 'install', '--package-lock-only', '--ignore-scripts');
run('npx', 'prettier', '--write', 'package.json', 'libs/xpay-auth/CHANGELOG.md');
