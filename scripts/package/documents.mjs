// Runs before and after `npm pack` and `npm publish`, as `prepack` and `postpack` of the library. Writes README.md, llms.txt
// and docs of the repository into the package, so that users of the package have the documents of its version. A link to a document
// of the package is relative to the package. A link to another file leads to the repository, or becomes plain text while
// package.json has no repository. `documents.mjs remove` deletes the written files.
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const library = process.env.npm_package_json ? dirname(process.env.npm_package_json) : join(root, 'libs/xpay-auth');
const WRITTEN = ['README.md', 'llms.txt', 'docs'];
/** Paths in the repository of files that are in the package under another path. */
const MOVED = {
  'libs/xpay-auth/CHANGELOG.md': 'CHANGELOG.md',
  LICENSE: 'LICENSE',
  'libs/xpay-auth/LICENSE': 'LICENSE',
};

for (const path of WRITTEN) rmSync(join(library, path), { recursive: true, force: true });
if (process.argv[2] !== 'remove') {
  const { repository, version } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  const site = siteOf(repository, version);
  for (const path of WRITTEN.flatMap(filesBelow)) {
    const target = join(library, path);
    mkdirSync(dirname(target), { recursive: true });
    const content = readFileSync(join(root, path));
    writeFileSync(target, /\.(?:md|txt)$/.test(path) ? withLinks(content.toString(), path, site) : content);
  }
}

/** The files of a path of the repository, without the generated API reference. */
function filesBelow(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path)).flatMap((name) => (name === 'api' ? [] : filesBelow(`${path}/${name}`)));
}

/** The address at which the files of this version can be read, or `undefined` without a repository. */
function siteOf(repository, version) {
  const url = typeof repository === 'string' ? repository : repository?.url;
  const [, host, path] = /^(?:git\+)?https:\/\/([^/]+)\/(.+?)(?:\.git)?$/.exec(url ?? '') ?? [];
  return host === undefined ? undefined : `https://${host}/${path}/blob/v${version}/`;
}

/**
 * Rewrites the links of a document, except those in code. If package.json has a repository, npm resolves the relative links of the
 * README at the root of the repository. In this case, relative links of the README may lead only to files that have the same path in
 * the package and in the repository.
 */
function withLinks(text, document, site) {
  const moved = document === 'README.md' && site !== undefined ? {} : MOVED;
  const link = /(```.*?^\s*```|`[^`\n]*`)|\[([^\]]*)\]\((?![a-z][a-z+.-]*:|#)([^)\s#]*)(#[^)\s]*)?\)/gms;
  return text.replace(link, (whole, code, label, target, anchor = '') => {
    if (code !== undefined) return whole;
    const path = posix.join(posix.dirname(document), target).replace(/\/$/, '');
    const inPackage = moved[path] ?? (WRITTEN.includes(path.split('/')[0]) ? path : undefined);
    if (inPackage !== undefined) return `[${label}](${posix.relative(posix.dirname(document), inPackage)}${anchor})`;
    return site === undefined ? label : `[${label}](${site}${path}${anchor})`;
  });
}
