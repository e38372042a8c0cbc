/** The parts of a package.json that are read. */
export interface PackageFile {
  readonly type?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** The packages that somebody who depends on `own` has to depend on as well, with their versions: itself and its peers. */
export function neededBy(name: string, own: PackageFile): Readonly<Record<string, string>> {
  const { version = '*', peerDependencies = {}, peerDependenciesMeta = {} } = own;
  const peers = Object.entries(peerDependencies).filter(([peer]) => peerDependenciesMeta[peer]?.optional !== true);
  return { [name]: `^${version}`, ...Object.fromEntries(peers) };
}

/** The text of a package.json with these among its dependencies; what is there in any version stays as it is. */
export function withDependencies(text: string, needed: Readonly<Record<string, string>>): string {
  const file = JSON.parse(text) as PackageFile;
  const present = { ...file.devDependencies, ...file.dependencies };
  const missing = Object.entries(needed).filter(([name]) => !(name in present));
  if (missing.length === 0) return text;
  const dependencies = Object.entries({ ...file.dependencies, ...Object.fromEntries(missing) });
  const sorted = Object.fromEntries(dependencies.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  const indent = /^[ \t]+(?=")/m.exec(text)?.[0] ?? '  ';
  return JSON.stringify({ ...file, dependencies: sorted }, null, indent) + (/\r?\n$/.exec(text)?.[0] ?? '');
}
