/** One way in which a program may read a path, beside the way it is written. */
type Reading = (path: string) => string;

const READINGS: readonly Reading[] = [
  // Servers that decode once before they route; applied again, those that decode twice.
  (path) => path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  // Overlong UTF-8 (RFC 3629 §10), as it was accepted for `/`, `.` and `\`.
  (path) =>
    path
      .replaceAll(/\xc0\xaf|\xe0\x80\xaf/g, '/')
      .replaceAll('\xc0\xae', '.')
      .replaceAll('\xc1\x9c', '\\'),
  // IIS and the WHATWG URL parser.
  (path) => path.replaceAll('\\', '/'),
  // Servlet containers drop the parameters of a segment.
  (path) => path.replaceAll(/;[^/]*/g, ''),
  (path) => path.replaceAll(/\/{2,}/g, '/'),
  // Programs in C end a string at NUL; others remove it.
  (path) => path.replace(/\0.*$/s, ''),
  (path) => path.replaceAll('\0', ''),
  (path) => path.replace(/#.*$/s, ''),
  withoutDotSegments,
  (path) => path.toLowerCase(),
];

/** Every path that a program might understand by this request target: each reading, in every order, again and again. */
export function readingsOf(target: string): ReadonlySet<string> {
  const [path = ''] = target.split('?');
  const found = new Set([path]);
  // A set yields what is added while it is walked.
  for (const each of found) for (const read of READINGS) found.add(read(each));
  return found;
}

/** RFC 3986 §5.2.4, without merging slashes. */
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
