/** The parts of a package.json that are read. */
export interface PackageFile {
  readonly type?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly jest?: object;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/**
 * The dependencies of an app that uses the package `own`, with their versions: the package and its required peers. A peer with
 * one range per major version of Nest gets the range for the app's. Without `nest` it gets all of them.
 */
export function neededBy(name: string, own: PackageFile, nest?: number): Readonly<Record<string, string>> {
  const { version = '*', peerDependencies = {}, peerDependenciesMeta = {} } = own;
  const majors = peerDependencies['@nestjs/core']?.split(' || ') ?? [];
  const index = majors.findIndex((range) => majorOf(range) === nest);
  const rangeFor = (range: string): string => {
    const ranges = range.split(' || ');
    return (ranges.length === majors.length ? ranges[index] : undefined) ?? range;
  };
  const peers = Object.entries(peerDependencies)
    .filter(([peer]) => peerDependenciesMeta[peer]?.optional !== true)
    .map(([peer, range]) => [peer, rangeFor(range)]);
  return { [name]: `^${version}`, ...Object.fromEntries(peers) };
}

/** The first number in a range, such as 11 for `^11.0.1`; `undefined` if there is none, as in `latest`. */
export function majorOf(range: string | undefined): number | undefined {
  const number = /\d+/.exec(range ?? '')?.[0];
  return number === undefined ? undefined : Number(number);
}

/** The version that an app requires of a package, among its dependencies of both kinds. */
export function requiredIn(file: PackageFile, name: string): string | undefined {
  return file.dependencies?.[name] ?? file.devDependencies?.[name];
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
