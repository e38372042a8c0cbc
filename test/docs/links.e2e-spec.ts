import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { anchorsOf, documents, fromRoot, linksOf, root } from './markdown.js';

const all = documents();
const anchors = new Map(all.map((document) => [document.path, anchorsOf(document)]));
const links = all.flatMap((document) => linksOf(document).map((link) => ({ document: document.path, link })));

describe('links between the documents', () => {
  it('lead to an existing file or folder', () => {
    expect(links.length).toBeGreaterThan(10);
    const dead = links.filter(({ document, link }) => !existsSync(join(root, targetOf(document, link))));
    expect(dead).toEqual([]);
  });

  it('lead to an existing heading', () => {
    const dead = links.filter(({ document, link }) => {
      const anchor = link.split('#')[1];
      return anchor !== undefined && anchors.get(targetOf(document, link))?.has(anchor) !== true;
    });
    expect(dead).toEqual([]);
  });

  it('are absent from the documents of the package, which other sites display', () => {
    expect(links.filter(({ document }) => document.startsWith('libs/'))).toEqual([]);
  });

  it('reach every document of docs from the README in at most two steps', () => {
    const near = new Set([...linkedFrom('README.md'), ...linkedFrom('README.md').flatMap(linkedFrom)]);
    const docs = all.map(({ path }) => path).filter((path) => /^docs\/[^/]+$/.test(path));
    expect(docs.length).toBeGreaterThan(3);
    expect(docs.filter((path) => !near.has(path))).toEqual([]);
  });
});

function linkedFrom(start: string): string[] {
  return links.filter(({ document }) => document === start).map(({ document, link }) => targetOf(document, link));
}

/** Returns the target file, or the document itself for an anchor without a path. */
function targetOf(document: string, link: string): string {
  const [path = ''] = link.split('#');
  return path === '' ? document : fromRoot(document, path);
}
