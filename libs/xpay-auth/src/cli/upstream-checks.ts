import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { deadline } from '../async/promises.js';
import { clockSkew } from '../core/lifetime.js';
import type { UpstreamAnswer } from '../core/ports.js';
import type { ResolvedOptions } from '../nest/options/resolve-options.js';
import { failureOf } from './login-check.js';
import type { Report } from './report.js';
import { checkTls } from './tls-check.js';
import { NETWORK, clientOf, codeOf, hostOf, limitsOf } from './upstream-connection.js';

/** Checks DNS, TLS, one request without credentials, and the clocks. Returns whether the upstream answered. */
export async function checkUpstream(report: Report, options: ResolvedOptions): Promise<boolean> {
  const url = new URL(options.baseUrl);
  if (!(await checkDns(report, url, options))) return false;
  if (url.protocol === 'http:') warnOfPlainHttp(report, url, options);
  else if (!(await checkTls(report, url, options))) return false;
  return checkAnswer(report, options);
}

async function checkDns(report: Report, url: URL, options: ResolvedOptions): Promise<boolean> {
  const host = hostOf(url);
  if (isIP(host) !== 0) {
    report.ok('dns', `${host} is an address, so there is nothing to look up`);
    return true;
  }
  try {
    const found = await deadline(limitsOf(options), () => lookup(host, { all: true }));
    report.ok('dns', `${host} has the addresses ${found.map(({ address }) => address).join(', ')}`);
    return true;
  } catch (thrown) {
    const fix = 'Check the host name in baseUrl, and the name servers of this machine.';
    report.failure('dns', `${host} cannot be resolved (${codeOf(thrown)})`, fix);
    return false;
  }
}

function warnOfPlainHttp(report: Report, url: URL, { http }: ResolvedOptions): void {
  const isListed = http.allowInsecureHosts.some((host) => host.toLowerCase() === url.hostname);
  if (!isListed) return report.ok('tls', `${url.origin} is on this machine, so TLS is not required`);
  const fix = 'Use an https:// URL, unless a trusted network connects this machine with the upstream.';
  report.warning(
    'tls',
    `Credentials are sent to ${url.origin} without TLS, because http.allowInsecureHosts lists it`,
    fix,
  );
}

async function checkAnswer(report: Report, options: ResolvedOptions): Promise<boolean> {
  const { baseUrl, clock } = options;
  const sentAt = clock.monotonic();
  let answer: UpstreamAnswer;
  try {
    answer = await clientOf(options).send({ method: 'GET', path: '/' });
  } catch (thrown) {
    const { message, code } = failureOf(thrown);
    report.failure(
      'upstream',
      message,
      code === 'upstream_malformed' ? 'Check that baseUrl is the URL of an HTTP API.' : NETWORK,
    );
    return false;
  }
  const elapsedMs = clock.monotonic() - sentAt;
  const { status, upstreamNow, receivedAt } = answer;
  const message = `${baseUrl} answered ${status} to GET / without credentials, in ${Math.round(elapsedMs)} ms`;
  const location = answer.header('location') ?? '';
  const target = URL.canParse(location, baseUrl) ? new URL(location, baseUrl).origin : '';
  if (status >= 500) report.warning('upstream', message, 'Check the status page of the upstream, and try --login.');
  else if (status >= 300 && status < 400 && target !== new URL(baseUrl).origin) {
    const fix = 'Set baseUrl to the final address, because the library follows no redirects.';
    report.warning('upstream', `${message}: a redirect to ${target || 'an unreadable address'}`, fix);
  } else report.ok('upstream', message);
  addSkew(report, 'clock', 'the upstream', { upstreamNow, elapsedMs, receivedAt, precision: '1 s' });
  return true;
}

/** Adds the finding about the difference between our clock and another one. */
export function addSkew(
  report: Report,
  check: string,
  other: string,
  facts: { upstreamNow: number | undefined; elapsedMs: number; receivedAt: number; precision: string },
): void {
  const { upstreamNow, receivedAt, precision } = facts;
  if (upstreamNow === undefined) {
    const fix = 'Compare the clock of this machine with a time server yourself, for example by: chronyc tracking';
    return report.warning(check, `The answer of ${other} has no Date header, so the clocks cannot be compared`, fix);
  }
  const skewMs = clockSkew(facts, receivedAt);
  if (skewMs === 0)
    return report.ok(check, `The clocks of this machine and of ${other} agree within 2 s (precision ${precision})`);
  const amount = `${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'}`;
  const fix = 'Synchronise this machine by NTP. If its clock is right, report the other clock to its operator.';
  report.warning(check, `The clock of ${other} is ${amount} the clock of this machine (precision ${precision})`, fix);
}
