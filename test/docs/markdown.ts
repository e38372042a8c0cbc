import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/** A block of code in a document. */
export interface Fence {
  /** The document, from the root of the repository. */
  readonly document: string;
  /** Line of the document on which the code begins, from 1. */
  readonly line: number;
  /** The text after the three backticks. */
  readonly language: string;
  readonly code: string;
  /** The comment above the block: `<!-- prelude: service -->` is `['prelude', 'service']`. */
  readonly note: readonly [kind: string, value: string] | undefined;
}

/** A parsed document. */
export interface Document {
  readonly path: string;
  /** The text without blocks of code. */
  readonly prose: string;
  readonly fences: readonly Fence[];
}

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'api']);

/** Returns every document: those at the root, in docs, examples and src, and the CHANGELOG of the package. */
export function documents(): Document[] {
  const found = readdirSync(root).filter((name) => name.endsWith('.md'));
  return [...found, ...below('docs'), ...below('examples'), ...below('src'), 'libs/xpay-auth/CHANGELOG.md']
    .toSorted()
    .map(read);
}

function below(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : below(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

function read(path: string): Document {
  const prose: string[] = [];
  const fences: Fence[] = [];
  let open: { indent: string; fence: Omit<Fence, 'code'>; code: string[] } | undefined;
  for (const [at, line] of readFileSync(join(root, path), 'utf8').split('\n').entries()) {
    const [, indent = '', language] = /^(\s*)```(.*)$/.exec(line) ?? [];
    if (open !== undefined && language === undefined) {
      open.code.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else if (open !== undefined) {
      fences.push({ ...open.fence, code: `${open.code.join('\n')}\n` });
      open = undefined;
    } else if (language !== undefined) {
      const note = noteOf(prose.findLast((above) => above.trim() !== ''));
      open = { indent, fence: { document: path, line: at + 2, language: language.trim(), note }, code: [] };
    } else prose.push(line);
  }
  if (open !== undefined) throw new Error(`${path}: a block of code does not end`);
  return { path, prose: prose.join('\n'), fences };
}

function noteOf(line = ''): Fence['note'] {
  const [, kind, value] = /^\s*<!-- (\w+): (.+?) -->$/.exec(line) ?? [];
  return kind === undefined || value === undefined ? undefined : [kind, value];
}

/** Returns the anchors of the headings of a document, as GitHub generates them. */
export function anchorsOf(document: Document): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of document.prose.matchAll(/^#+ +(.+?) *$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const slug = text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Returns the targets of the links of a document, without those to other hosts. */
export function linksOf(document: Document): string[] {
  const text = document.prose.replace(/`[^`\n]*`/g, '');
  const inline = [...text.matchAll(/\[[^\]]*\]\(([^)\s]+)[^)]*\)/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]: +(\S+)/gm)];
  return [...inline, ...references]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

/** Returns the spans of inline code. */
export function codeSpansOf(document: Document): string[] {
  return [...document.prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Returns the path from the root for a target relative to a document. */
export function fromRoot(document: string, target: string): string {
  return relative(root, resolve(root, document, '..', target));
}
