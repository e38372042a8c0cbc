/**
 * Returns the security headers of a page with a form for secret keys. They keep scripts of other hosts out of the page, and keep
 * the page out of frames.
 *
 * @param directives further directives of the Content Security Policy
 */
export function pageHeaders(...directives: readonly string[]): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    ...directives,
  ];
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  };
}
