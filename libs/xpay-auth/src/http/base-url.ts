/** Whether a host name means this machine: `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

/**
 * What a base URL must be that this one is not, in words that follow "expected"; `undefined`: credentials may be sent there.
 */
export function flawOfBaseUrl(value: string, allowInsecureHosts: readonly string[]): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return 'an absolute http(s) URL';
  if (url.username !== '' || url.password !== '')
    return 'a URL without credentials in it (use the option `credentials`)';
  if (url.search !== '' || url.hash !== '') return 'a URL without query and fragment';
  // The parser has put the URL's host into lower case; the list is as somebody typed it.
  const insecureAllowed =
    isLoopback(url.hostname) || allowInsecureHosts.some((host) => host.toLowerCase() === url.hostname);
  if (url.protocol === 'http:' && !insecureAllowed) {
    return 'an https:// URL (http:// only for loopback and for hosts named in http.allowInsecureHosts)';
  }
  return undefined;
}

/** The one spelling of a base URL: no trailing slash. */
export function normalizeBaseUrl(value: string): string {
  const url = new URL(value);
  // Looks behind, so that a long run of slashes is tried from its first one alone.
  return url.origin + url.pathname.replace(/(?<!\/)\/+$/, '');
}
