// Counts the lines of code of the library by folder, without comments and blank lines.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { library, sourceFiles } from './imports.mjs';

/** Returns the number of lines with at least one token of code. */
function codeLinesOf(text) {
  const source = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);
  const starts = source.getLineStarts();
  const lines = new Set();
  const visit = (node) => {
    if (node.getChildCount(source) === 0 && node.getWidth(source) > 0) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      for (let line = first; line <= last; line++)
        if (text.slice(starts[line], starts[line + 1]).trim()) lines.add(line);
    }
    node
      .getChildren(source)
      .filter((child) => child.kind < ts.SyntaxKind.FirstJSDocNode || child.kind > ts.SyntaxKind.LastJSDocNode)
      .forEach(visit);
  };
  visit(source);
  return lines.size;
}

/** Returns the number of code lines by top-level folder, and their sum. */
export function codeLines() {
  const folders = new Map();
  for (const file of sourceFiles()) {
    const [folder] = file.includes('/') ? file.split('/') : ['.'];
    folders.set(folder, (folders.get(folder) ?? 0) + codeLinesOf(readFileSync(join(library, file), 'utf8')));
  }
  return { folders, total: [...folders.values()].reduce((sum, lines) => sum + lines, 0) };
}
