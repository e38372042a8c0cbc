// `npm run metrics`: the size of the library, the folders that import each other, and the length of the two request
// paths. With `--list`, every file and function of those paths as well.
import { callPaths } from './metrics/call-path.mjs';
import { codeLines } from './metrics/code-lines.mjs';
import { mutualImports } from './metrics/imports.mjs';

const list = process.argv.includes('--list');

const { folders, total } = codeLines();
print(`Code lines of the library, without comments and blank lines: ${total}`);
for (const [folder, lines] of folders) print(`  ${String(lines).padStart(6)}  ${folder}`);

const pairs = mutualImports();
print(`\nPairs of folders that import each other: ${pairs.length}`);
for (const { pair, imports } of pairs) print(`  ${pair}`, ...imports.map((line) => `      ${line}`));

print('\nFiles and functions of the library that run during one call:');
for (const [name, run] of Object.entries(callPaths)) {
  const { files, functions } = await run();
  print(`  ${String(files.length).padStart(3)} files, ${String(functions.length).padStart(3)} functions: ${name}`);
  if (list) print(...functions.map((line) => `      ${line}`));
}

function print(...lines) {
  process.stdout.write(`${lines.join('\n')}\n`);
}
