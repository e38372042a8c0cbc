import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import satisfies from 'semver/functions/satisfies.js';
import type { Report } from './report.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean } | undefined>>;
}

interface InstalledPackage {
  readonly version: string;
  /** Its real path. */
  readonly folder: string;
}

/** The folder of this library. The relative path is the same from the sources and from the bundle. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The package.json of this library. */
export const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

/** Checks the version of Node. Returns whether the library supports it. */
export function checkNode(report: Report): boolean {
  const { node: range } = manifest.engines;
  const { node: version } = process.versions;
  const isSupported = satisfies(version, range);
  if (isSupported) report.ok('node', `Node ${version} is in the range ${range}`);
  else
    report.failure('node', `Node ${version} is not in the range ${range}`, 'Install a version of Node in this range.');
  return isSupported;
}

/** Checks the installed versions of this library and its peers. */
export function checkPackages(report: Report, folder: string): void {
  const isOfApp = checkOwnCopy(report, folder);
  const versions = Object.entries(manifest.peerDependencies).flatMap(([name, range]) => {
    const found = packageAt(join(folder, 'package.json'), name) ?? packageAt(import.meta.url, name);
    if (!checkPeer(report, name, range, found?.version)) return [];
    if (isOfApp) warnOfCopies(report, name, found);
    return [`${name} ${found?.version}`];
  });
  if (versions.length > 0) report.ok('peers', versions.join(', '));
}

/** Returns whether this is the copy of the library that the app has installed. */
function checkOwnCopy(report: Report, folder: string): boolean {
  const { name, version } = manifest;
  const own = packageAt(join(folder, 'package.json'), name);
  if (own === undefined) {
    const fix = `Run this command in the folder of your app, after: npm install ${name}`;
    report.warning('package', `${name} is not installed in ${folder}`, fix);
  } else if (own.version !== version) {
    const message = `This is ${name} ${version}, but the app has ${own.version}`;
    report.warning('package', message, `Run it with the version of the app: npx --no-install ${name} doctor`);
  } else report.ok('package', `${name} ${version}`);
  return own?.folder === realpathSync(ROOT);
}

/** Returns whether a peer is installed in a version of its range. */
function checkPeer(report: Report, name: string, range: string, version: string | undefined): boolean {
  const fix = `Run: npm install "${name}@${range}"`;
  if (version === undefined) {
    const isOptional = manifest.peerDependenciesMeta[name]?.optional === true;
    if (!isOptional) report.failure('peers', `${name} is not installed, and ${manifest.name} needs it`, fix);
    return false;
  }
  if (satisfies(version, range)) return true;
  report.failure('peers', `${name} ${version} is not in the range ${range} of ${manifest.name}`, fix);
  return false;
}

/** Warns if the app and the library load different copies of a peer. */
function warnOfCopies(report: Report, name: string, ofApp: InstalledPackage | undefined): void {
  const ours = packageAt(import.meta.url, name);
  if (ours === undefined || ours.folder === ofApp?.folder) return;
  const message = `There are two copies of ${name}: ${ofApp?.version} for the app and ${ours.version} for ${manifest.name}`;
  report.warning('peers', message, `Run: npm dedupe. Then npm ls ${name} must list one copy.`);
}

/** Finds an installed package as Node does from this file, but also packages whose `exports` lack `package.json`. */
function packageAt(from: string, name: string): InstalledPackage | undefined {
  const path = (createRequire(from).resolve.paths(name) ?? []).map((each) => join(each, name)).find(isPackage);
  if (path === undefined) return undefined;
  const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { readonly version?: unknown };
  return { version: String(version), folder: realpathSync(path) };
}

function isPackage(path: string): boolean {
  return existsSync(join(path, 'package.json'));
}
