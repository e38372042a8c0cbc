/** Whether a host name is a loopback name: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

/**
 * Returns the requirement that a base URL does not meet, worded to follow "expected". Returns `undefined` if credentials may be
 * sent to this URL.
 */
export function flawOfBaseUrl(value: string, allowInsecureHosts: readonly string[]): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return 'an absolute http(s) URL';
  if (url.username !== '' || url.password !== '')
    return 'a URL without credentials in it (use the option `credentials`)';
  if (url.search !== '' || url.hash !== '') return 'a URL without query and fragment';
  // The host of the parsed URL is in lower case, but the entries of the list may not be.
  const insecureAllowed =
    isLoopback(url.hostname) || allowInsecureHosts.some((host) => host.toLowerCase() === url.hostname);
  if (url.protocol === 'http:' && !insecureAllowed) {
    return 'an https:// URL (http:// only for loopback and for hosts named in http.allowInsecureHosts or XPAY_ALLOW_INSECURE_HOSTS)';
  }
  return undefined;
}

/** Returns the canonical form of a base URL, without a trailing slash. */
export function normalizeBaseUrl(value: string): string {
  const url = new URL(value);
  // With the lookbehind, the time for a long run of slashes is linear and not quadratic.
  return url.origin + url.pathname.replace(/(?<!\/)\/+$/, '');
}
