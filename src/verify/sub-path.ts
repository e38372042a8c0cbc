/**
 * `/verify/any/path?scope=x` asks the same as `/verify?scope=x`. The URL is rewritten before it is routed, because the two
 * platforms have no wildcard in common.
 */
export function withoutSubPath(url: string): string {
  return url.replace(/^\/verify\/[^?]*/, '/verify');
}
