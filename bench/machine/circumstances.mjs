// The versions and the machine of a measurement.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pinned } from './cores.mjs';

const root = resolve(import.meta.dirname, '../..');
const library = join(root, 'libs/xpay-auth/dist');

export function circumstances() {
  const processors = cpus();
  return {
    measuredAt: new Date().toISOString(),
    node: process.versions.node,
    machine: `${processors.length} cores of ${processors[0]?.model ?? 'an unknown kind'}, ${process.platform}`,
    pinned,
    build: buildOf(library),
    versions: versionsOf(),
  };
}

/** Returns a digest of the measured code, to notice that results belong to other code. */
export function buildOf(folder = library) {
  const sum = createHash('sha256');
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'));
  for (const name of files.toSorted((one, other) => (one < other ? -1 : 1)))
    sum.update(name).update(readFileSync(join(folder, name)));
  return sum.digest('hex').slice(0, 16);
}

/** Returns the versions of the packages that the bench installs, and of the packages of the workspace. */
function versionsOf() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'bench/package.json'), 'utf8'));
  const shared = [
    '@nestjs/core',
    '@nestjs/passport',
    '@nestjs/platform-express',
    '@nestjs/platform-fastify',
    'passport',
  ];
  const names = [...Object.keys(devDependencies), ...shared, 'express', 'fastify'].toSorted((one, other) =>
    one < other ? -1 : 1,
  );
  return Object.fromEntries(
    names.map((name) => [name, versionOf(name)]).filter(([, version]) => version !== undefined),
  );
}

function versionOf(name) {
  const file = ['bench/node_modules', 'node_modules']
    .map((place) => join(root, place, name, 'package.json'))
    .find((candidate) => existsSync(candidate));
  return file && JSON.parse(readFileSync(file, 'utf8')).version;
}
