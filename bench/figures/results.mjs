// Reads and writes the results: one file for each table.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Tables in the order of their measurement. */
export const TABLES = [
  'inbound',
  'outbound',
  'memory',
  'growth',
  'first-seen',
  'crowd',
  'forward-auth',
  'import',
  'cold-start',
  'soak',
];

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'bench/results');

/** Returns the results of a table, or `undefined` if it has none. */
export function readResults(table) {
  try {
    return JSON.parse(readFileSync(join(folder, `${table}.json`), 'utf8'));
  } catch (failure) {
    if (failure.code === 'ENOENT') return undefined;
    throw failure;
  }
}

export function saveResults(table, results) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${table}.json`), `${JSON.stringify(results, tidied, 2)}\n`);
}

/** Rounds the figures, and removes the paths of this machine from error messages. */
function tidied(_key, value) {
  if (typeof value === 'string') return value.replaceAll(root, '.');
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
