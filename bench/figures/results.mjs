// What was measured, as it is kept: one file for each table.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** In the order in which they are measured. */
export const TABLES = ['inbound', 'outbound', 'memory', 'growth', 'forward-auth', 'cold-start', 'soak'];

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'bench/results');

/** `undefined` when it was never measured. */
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

/** No figure is as exact as a double, and where a complaint came from is this machine's business. */
function tidied(_key, value) {
  if (typeof value === 'string') return value.replaceAll(root, '.');
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
