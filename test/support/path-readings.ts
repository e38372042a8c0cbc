/** A way in which a program may change a path before using it. */
type Reading = (path: string) => string;

const READINGS: readonly Reading[] = [
  // Servers decode a path before they route. Applied twice, this is the reading of servers that decode twice.
  (path) => path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  // Some old decoders accept overlong UTF-8 (RFC 3629 §10) for `/`, `.` and `\`.
  (path) =>
    path
      .replaceAll(/\xc0\xaf|\xe0\x80\xaf/g, '/')
      .replaceAll('\xc0\xae', '.')
      .replaceAll('\xc1\x9c', '\\'),
  // IIS and the WHATWG URL parser treat a backslash as a slash.
  (path) => path.replaceAll('\\', '/'),
  // Servlet containers drop the parameters of a segment.
  (path) => path.replaceAll(/;[^/]*/g, ''),
  (path) => path.replaceAll(/\/{2,}/g, '/'),
  // Programs in C end a string at NUL. Other programs remove the NUL.
  (path) => path.replace(/\0.*$/s, ''),
  (path) => path.replaceAll('\0', ''),
  (path) => path.replace(/#.*$/s, ''),
  withoutDotSegments,
  (path) => path.toLowerCase(),
];

/** Returns every path that programs might read in this request target, by any number of readings in any order. */
export function readingsOf(target: string): ReadonlySet<string> {
  const [path = ''] = target.split('?');
  const found = new Set([path]);
  // The iteration of a set includes values that are added during the iteration.
  for (const each of found) for (const read of READINGS) found.add(read(each));
  return found;
}

/** Removes dot segments (RFC 3986 §5.2.4). Does not merge slashes. */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [at, segment] of segments.entries()) {
    const isLast = at === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}
