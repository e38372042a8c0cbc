// Writes the combinations that `npm run check:packages` runs: `node scripts/matrix/generate.mjs`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import covertable from 'covertable';
import { FACTORS, LAYOUTS, isForbidden } from './factors.mjs';

const names = Object.keys(FACTORS);

/** Every allowed combination. */
const allowed = names
  .reduce((rows, name) => rows.flatMap((row) => FACTORS[name].map((value) => ({ ...row, [name]: value }))), [{}])
  .filter((row) => !isForbidden(row));
const allowedPairs = new Set(allowed.flatMap(pairsOf));

/** Returns combinations in which each two values of different factors meet, unless every combination of both is forbidden. */
export function combinations() {
  const attempts = Array.from({ length: 6 }, (_, seed) => {
    const rows = covertable.make(FACTORS, { seed: String(seed), preFilter: (row) => !isForbidden(row) });
    return completed(rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name]]))));
  });
  const [fewest] = attempts.toSorted((one, other) => one.length - other.length);
  return [...fewest.toSorted((one, other) => (textOf(one) < textOf(other) ? -1 : 1)), ...LAYOUTS];
}

/** Returns the pairs of values that are in no row, although a combination with both is allowed. */
export function uncovered(rows) {
  const covered = new Set(rows.flatMap(pairsOf));
  return [...allowedPairs].filter((pair) => !covered.has(pair));
}

/** Adds rows for the pairs that covertable leaves out when constraints end its search early. */
function completed(rows) {
  const missing = new Set(uncovered(rows));
  const added = [];
  while (missing.size > 0) {
    const gain = (row) => pairsOf(row).filter((pair) => missing.has(pair)).length;
    const best = allowed.reduce((one, other) => (gain(other) > gain(one) ? other : one));
    pairsOf(best).forEach((pair) => missing.delete(pair));
    added.push(best);
  }
  return [...rows, ...added];
}

function textOf(row) {
  return JSON.stringify(row);
}

function pairsOf(row) {
  return names.flatMap((one, at) => names.slice(at + 1).map((other) => `${one} ${row[one]} + ${other} ${row[other]}`));
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const file = join(import.meta.dirname, 'combinations.json');
  writeFileSync(
    file,
    `[\n${combinations()
      .map((row) => `  ${JSON.stringify(row)}`)
      .join(',\n')}\n]\n`,
  );
}
