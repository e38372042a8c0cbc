// Writes docs/compatibility.md from the results of the matrix.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { FACTORS, FORBIDDEN, LAYOUTS } from './factors.mjs';

const HEADINGS = {
  nest: 'Nest',
  manager: 'package manager',
  runner: 'tests',
  builder: 'build',
  typescript: 'TypeScript',
  resolution: 'moduleResolution',
  platform: 'platform',
  node: 'Node',
  layout: 'layout',
};

/** Writes the page. `results` has the outcome of each combination, in the same order. */
export async function writeReport(root, combinations, results) {
  const file = join(root, 'docs/compatibility.md');
  const [day] = new Date().toISOString().split('T');
  const text = `# Compatibility

Find out whether the library works with the tools of your app. \`npm run matrix\` writes this page. Last run: ${day}, on Linux.

The run makes ${combinations.length} apps from the starters of \`nest new\`. Each app installs the packed library from a registry, as
the README describes, and runs \`nest add\`. Then the app is built, its own unit and end-to-end tests run unchanged, and the built
app answers requests. Each two values of this table are together in at least one of the first ${combinations.length - LAYOUTS.length} apps, unless they
[cannot work together](#combinations-that-cannot-work):

| | |
| - | - |
${Object.entries(FACTORS)
  .map(([factor, values]) => `| ${HEADINGS[factor]} | ${values.map(code).join(' · ')} |`)
  .join('\n')}

The other ${LAYOUTS.length} apps are a monorepo and an app with path aliases, for each version of Nest. Windows and macOS are not in this run:
one job of the workflow \`check\` for each of them runs two of the apps (\`npm run matrix -- --smoke\`).

## Combinations that cannot work

These combinations fail without this library, too.

| combination | refused by | error |
| - | - | - |
${FORBIDDEN.map(({ values, tool, error }) => `| ${conditionOf(values)} | ${tool} | ${code(error)} |`).join('\n')}

Three more limits of other tools:

- **pnpm and \`nest add\` alone.** Nest's CLI 11 does not wait until \`pnpm install\` has ended, and then fails with
  \`Collection "nestjs-xpay-auth" cannot be resolved\`. pnpm 12 rejects the flag with which both versions of the CLI call it (\`error: unexpected argument '--save' found\`). Use
  [the three commands for pnpm](reference.md#nest-add).
- **jest and CommonJS apps of Nest 12.** Nest 12 consists of ES modules, which jest requires only on Node 24.9 and later. The apps above
  are ES modules, as \`nest new\` generates them.
- **TypeScript 5.4** has no \`"target": "ES2023"\`, which the starters set. Set \`"ES2022"\`.

## Apps of the run

| | ${Object.values(HEADINGS).join(' | ')} | result |
| - | ${Object.values(HEADINGS)
    .map(() => '-')
    .join(' | ')} | - |
${combinations
  .map((combination, index) => {
    const cells = Object.keys(HEADINGS).map((factor) =>
      combination[factor] === undefined ? '' : code(combination[factor]),
    );
    const { error } = results[index];
    return `| ${index + 1} | ${cells.join(' | ')} | ${error === undefined ? 'passed' : 'failed'} |`;
  })
  .join('\n')}
`;
  writeFileSync(file, await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }));
}

/** Formats settings as code, so that \`externals: []\` and errors are not read as Markdown. */
function code(text) {
  return /[[\]`':]|node\d|nodenext|bundler/.test(text)
    ? `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``
    : text;
}

function conditionOf(values) {
  return Object.entries(values)
    .map(([factor, all]) => `${HEADINGS[factor]} ${all.map(code).join(' or ')}`)
    .join(', ');
}
