/** The parts of a package.json that are read. */
export interface PackageFile {
  readonly type?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** The dependencies of an app that uses the package `own`, with their versions: the package and its required peers. */
export function neededBy(name: string, own: PackageFile): Readonly<Record<string, string>> {
  const { version = '*', peerDependencies = {}, peerDependenciesMeta = {} } = own;
  const peers = Object.entries(peerDependencies).filter(([peer]) => peerDependenciesMeta[peer]?.optional !== true);
  return { [name]: `^${version}`, ...Object.fromEntries(peers) };
}

/** Adds dependencies to the text of a package.json. Leaves those that are present in any version unchanged. */
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
