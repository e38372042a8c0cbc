import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import satisfies from 'semver/functions/satisfies.js';
import type { Report } from './report.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean } | undefined>>;
}

/** The package.json of this library. */
export const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest;

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
  checkOwnCopy(report, folder);
  const versions = Object.entries(manifest.peerDependencies).flatMap(([name, range]) => {
    const version = checkPeer(report, folder, name, range);
    return version === undefined ? [] : [`${name} ${version}`];
  });
  if (versions.length > 0) report.ok('peers', versions.join(', '));
}

function checkOwnCopy(report: Report, folder: string): void {
  const { name, version } = manifest;
  const own = packageAt(join(folder, 'package.json'), name);
  if (own === undefined) {
    const fix = `Run this command in the folder of your app, after: npm install ${name}`;
    report.warning('package', `${name} is not installed in ${folder}`, fix);
  } else if (own.version !== version) {
    const message = `This is ${name} ${version}, but the app has ${String(own.version)}`;
    report.warning('package', message, `Run it with the version of the app: npx --no-install ${name} doctor`);
  } else report.ok('package', `${name} ${version}`);
}

/** Returns the version of a peer that is installed and in its range. */
function checkPeer(report: Report, folder: string, name: string, range: string): string | undefined {
  const isOptional = manifest.peerDependenciesMeta[name]?.optional === true;
  const ours = packageAt(import.meta.url, name);
  const found = packageAt(join(folder, 'package.json'), name) ?? ours;
  const install = `npm install "${name}@${range}"`;
  if (found === undefined) {
    if (!isOptional)
      report.failure('peers', `${name} is not installed, and ${manifest.name} needs it`, `Run: ${install}`);
    return undefined;
  }
  const version = String(found.version);
  if (!satisfies(version, range)) {
    report.failure('peers', `${name} ${version} is not in the range ${range} of ${manifest.name}`, `Run: ${install}`);
    return undefined;
  }
  if (ours !== undefined && ours.folder !== found.folder) {
    const message = `There are two copies of ${name}: ${version} for the app and ${String(ours.version)} for ${manifest.name}`;
    report.warning('peers', message, `Run: npm dedupe. Then npm ls ${name} must list one copy.`);
  }
  return version;
}

/** Finds an installed package as Node does from this file, but also packages whose `exports` lack `package.json`. */
function packageAt(from: string, name: string): { readonly version: unknown; readonly folder: string } | undefined {
  const path = (createRequire(from).resolve.paths(name) ?? []).map((each) => join(each, name)).find(isPackage);
  if (path === undefined) return undefined;
  const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { readonly version?: unknown };
  return { version, folder: realpathSync(path) };
}

function isPackage(path: string): boolean {
  return existsSync(join(path, 'package.json'));
}
