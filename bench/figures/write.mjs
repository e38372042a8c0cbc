// Writes the measurements to docs/benchmarks.md, between the markers. The rest of that page is written by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import prettier from 'prettier';
import { RENDERERS } from './markdown.mjs';
import { readResults } from './results.mjs';

const document = resolve(import.meta.dirname, '../../docs/benchmarks.md');
const END = '<!-- end of figures -->';

/** Writes every table that has results. Returns the requested tables as text. */
export async function writeDocument(asked) {
  let text = readFileSync(document, 'utf8');
  const shown = [];
  for (const [name, render] of Object.entries(RENDERERS)) {
    const results = name === 'targets' ? {} : readResults(name);
    if (results === undefined) continue;
    const rendered = name === 'targets' ? render(results) : tableOf(results);
    text = put(text, name, rendered);
    if (name === 'targets' || asked.includes(name)) shown.push(`== ${name} ==\n\n${rendered}`);
  }
  text = put(text, 'versions', versionsOf(['inbound', 'outbound'].map(readResults)));
  const options = (await prettier.resolveConfig(document)) ?? {};
  writeFileSync(document, await prettier.format(text, { ...options, parser: 'markdown' }));
  return shown.join('\n\n');
}

/** Returns a table as in the document, with a footnote about its run. */
export function tableOf(results) {
  return `${RENDERERS[results.table](results)}\n\n${footOf(results)}`.trim();
}

function put(text, name, rendered) {
  const begin = `<!-- figures: ${name}, written by \`npm run bench\` -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`docs/benchmarks.md lacks ${begin} and ${END}`);
  return `${text.slice(0, from)}${begin}\n\n${rendered}\n\n${text.slice(to)}`;
}

function footOf({ table, measuredAt, node, machine, pinned, rows, how }) {
  if (how !== undefined) return `_\`npm run bench -- ${table}\`, ${measuredAt.slice(0, 10)}, ${machine}, ${how}._`;
  const processes = Math.max(0, ...rows.map((row) => Object.values(row).find((value) => value?.of)?.of ?? 0));
  const each =
    table !== 'soak' && processes > 0 ? ` Medians of ${processes} fresh processes each, extremes in brackets.` : '';
  const cores = pinned ? 'server and load on separate cores' : 'server and load on shared cores';
  return `_\`npm run bench -- ${table}\`, ${measuredAt.slice(0, 10)}, Node ${node}, ${machine}, ${cores}.${each}_`;
}

function versionsOf(results) {
  const versions = Object.assign({}, ...results.map((result) => result?.versions ?? {}));
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(' · ');
}
