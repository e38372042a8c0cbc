// Runs before `npm publish`, also with `--dry-run`, as `prepublishOnly` of the library. Fails while package.json lacks
// `repository`, without which npm refuses the provenance, or `homepage` or `bugs`, which the page of the package on npm links to.
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(process.env.npm_package_json ?? 'package.json', 'utf8'));
const addressOf = (field) => (typeof field === 'string' ? field : field?.url);
const repository = addressOf(manifest.repository) ?? '';
const isAddress = (url) => /^https:\/\/\S+\.\S+/.test(url ?? '');

const flaws = [
  ...(/^git\+https:\/\/\S+\.\S+\.git$/.test(repository)
    ? []
    : [
        'repository: set { "type": "git", "url": "git+https://….git" }. npm compares the provenance with this address.',
      ]),
  ...(isAddress(manifest.homepage)
    ? []
    : ['homepage: set the https address of the page for users, such as the README of the repository.']),
  ...(isAddress(addressOf(manifest.bugs))
    ? []
    : ['bugs: set { "url": "https://…" }, the address where users report a bug.']),
  ...belongsHere(process.env.GITHUB_REPOSITORY),
];
if (flaws.length > 0) {
  console.error(`${manifest.name} cannot be published. In libs/xpay-auth/package.json:\n- ${flaws.join('\n- ')}`);
  process.exitCode = 1;
}

/** Compares the repository with the one whose workflow runs this script. */
function belongsHere(current) {
  if (current === undefined || repository === '' || repository.toLowerCase().includes(`/${current.toLowerCase()}.git`))
    return [];
  return [`repository: names ${repository}, but this workflow runs in ${current}. npm would refuse the provenance.`];
}
