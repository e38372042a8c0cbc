// Turns the changesets into a version and a section of the CHANGELOG: `npm run release:version`. changesets does not
// change the root package, whose range and lockfile also name the library. This script updates them.
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
