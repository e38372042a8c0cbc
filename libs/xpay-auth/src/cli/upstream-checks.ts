import { lookup } from 'node:dns/promises';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { type PeerCertificate, connect } from 'node:tls';
import { deadline } from '../async/promises.js';
import { asXPayAuthError, type XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { Credentials } from '../core/credentials.js';
import { Instrumentation } from '../core/instrumentation.js';
import { clockSkew, lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose, UpstreamAnswer } from '../core/ports.js';
import { axiosTransport, createAxios } from '../http/axios-transport.js';
import { UpstreamClient, upstreamCalls } from '../http/upstream-client.js';
import type { ResolvedOptions } from '../nest/options/resolve-options.js';
import type { Report } from './report.js';

const DAY_MS = 86_400_000;
/** A certificate that expires within this time causes a warning. */
const EXPIRES_SOON_MS = 14 * DAY_MS;

const NETWORK =
  'Check baseUrl, the network and the firewall. The library ignores HTTP_PROXY and HTTPS_PROXY; if the machine needs a proxy, ' +
  'set http.agent in code.';

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

async function checkTls(report: Report, url: URL, options: ResolvedOptions): Promise<boolean> {
  const host = hostOf(url);
  const port = Number(url.port || 443);
  const servername = isIP(host) === 0 ? host : '';
  // The certificate is judged below. The connection carries no data.
  const socket = connect({ host, port, servername, rejectUnauthorized: false });
  try {
    await deadline(limitsOf(options), () => once(socket, 'secureConnect'));
    return judge(report, host, socket.getPeerCertificate(true), {
      error: socket.authorized ? undefined : codeOf(socket.authorizationError),
      protocol: socket.getProtocol() ?? 'TLS',
      now: options.clock.now(),
    });
  } catch (thrown) {
    report.failure('tls', `No TLS connection to ${url.host} (${codeOf(thrown)})`, NETWORK);
    return false;
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

/** Adds the finding about a certificate. Returns whether the library accepts the certificate. */
function judge(
  report: Report,
  host: string,
  peer: PeerCertificate,
  { error, protocol, now }: { readonly error: string | undefined; readonly protocol: string; readonly now: number },
): boolean {
  const { subject, issuer, validFrom, validTo, subjectAltName = 'none' } = new X509Certificate(peer.raw);
  const leftMs = Date.parse(validTo) - now;
  const [holder, by] = [subject, issuer].map((name) => name.replaceAll('\n', ', '));
  const facts = `${holder}, issued by ${by}, valid until ${validTo} (${Math.floor(leftMs / DAY_MS)} days left)`;
  if (error !== undefined) {
    const [message, fix] = explain(error, { host, validFrom, subjectAltName });
    report.failure('tls', `${message} (${error}): ${facts}`, fix);
    return false;
  }
  if (leftMs > EXPIRES_SOON_MS) report.ok('tls', `${protocol}, trusted chain for ${host}: ${facts}`);
  else report.warning('tls', `The certificate expires soon: ${facts}`, 'Ask the operator of the upstream to renew it.');
  return true;
}

function explain(
  error: string,
  { host, validFrom, subjectAltName }: { host: string; validFrom: string; subjectAltName: string },
): [string, string] {
  if (error === 'CERT_HAS_EXPIRED') {
    const fix = 'Ask the operator of the upstream to renew the certificate. Check the clock of this machine too.';
    return ['The certificate has expired', fix];
  }
  if (error === 'CERT_NOT_YET_VALID') {
    return [`The certificate is valid from ${validFrom}`, 'Set the clock of this machine, or wait.'];
  }
  if (error === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const fix = `Set baseUrl to a name of the certificate (${subjectAltName}), or ask the operator to add ${host} to it.`;
    return [`The certificate is not for ${host}`, fix];
  }
  return [
    'This machine does not trust the issuer of the certificate',
    'If you trust it, start the app and this command with NODE_EXTRA_CA_CERTS=<file with the certificate of the issuer>.',
  ];
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

/** Adds the finding about the app account. Logs in only with `tries`. */
export async function checkAccount(report: Report, options: ResolvedOptions, tries: boolean): Promise<void> {
  const { credentials } = options;
  if (credentials === undefined || !('username' in credentials)) {
    report.ok(
      'account',
      'There is no app account in the environment. It is needed only for your own calls to the upstream.',
    );
  } else if (!tries) {
    report.ok('account', `The credentials of ${credentials.username} were not tried. --login tries them once.`);
  } else {
    try {
      const { grant, lifetime } = await logIn(report, options, credentials, 'own token');
      report.ok(
        'account',
        `Logged in as ${grant.username}, with the scopes ${grant.scopes.join(' ') || '(none)'}. ${lifetime}`,
      );
    } catch (thrown) {
      addLoginFailure(report, 'account', failureOf(thrown));
    }
  }
}

/**
 * Logs in once. Throws an `XPayAuthError`. The report hides the token from now on.
 */
export async function logIn(
  report: Report,
  options: ResolvedOptions,
  credentials: Credentials,
  purpose: Purpose,
): Promise<{ readonly grant: Grant; readonly lifeMs: number | undefined; readonly lifetime: string }> {
  const { clock, token, dialect } = options;
  report.hide(credentials.secretKey);
  const { authenticate } = upstreamCalls(dialect, clientOf(options), new Instrumentation());
  const askedAt = clock.monotonic();
  const grant = await deadline({ clock, ms: token.deadlineMs }, (signal) => authenticate(credentials, purpose, signal));
  report.hide(grant.accessToken.value, grant.refreshToken?.reveal());
  const elapsedMs = clock.monotonic() - askedAt;
  const lifeMs = lifeFromNow({ ...grant, expiresAt: grant.accessToken.expiresAt, elapsedMs }, clock.now());
  const lifetime =
    lifeMs === undefined
      ? `The upstream states no lifetime, so token.fallbackLifeMs applies (${token.fallbackLifeMs / 1_000} s).`
      : `The token is valid for ${Math.floor(lifeMs / 1_000)} s.`;
  return { grant, lifeMs, lifetime };
}

const LOGIN_FIXES: Partial<Record<XPayAuthErrorCode, string>> = {
  invalid_credentials:
    'Check the username and the secret key. A copied secret key often lacks its first or last character.',
  upstream_rate_limited: 'Wait, and run this command again.',
  upstream_timeout: 'Check the network and the status page of the upstream, or raise http.timeoutMs.',
  upstream_unavailable: 'Check the network and the status page of the upstream.',
  upstream_malformed: 'Check that the options baseUrl and dialect belong to the same upstream.',
};

/** Adds the failure of a login. */
export function addLoginFailure(report: Report, check: string, failure: XPayAuthError): void {
  const { code, message, retryAfterMs, reference } = failure;
  const wait = retryAfterMs === undefined ? '' : ` Wait at least ${Math.ceil(retryAfterMs / 1_000)} s.`;
  const quote = reference?.uuid === undefined ? '' : ` Reference of the upstream: ${reference.uuid}.`;
  const fix = LOGIN_FIXES[code] ?? 'Contact the support of the upstream.';
  report.failure(check, `${code}: ${message}`, `${fix}${wait}${quote}`);
}

export function failureOf(thrown: unknown): XPayAuthError {
  return asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed');
}

function clientOf({ http, baseUrl, clock }: ResolvedOptions): UpstreamClient {
  return new UpstreamClient({
    transport: axiosTransport(createAxios(http)),
    baseUrl,
    clock,
    timeoutMs: http.timeoutMs,
  });
}

/** The deadline of a lookup, or of the opening of a connection. */
function limitsOf({ clock, http }: ResolvedOptions) {
  const error = (): Error => Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
  return { clock, ms: http.timeoutMs, error };
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function codeOf(thrown: unknown): string {
  const { code, message } = (thrown instanceof Error ? thrown : {}) as Partial<NodeJS.ErrnoException>;
  return code ?? (typeof thrown === 'string' ? thrown : (message ?? 'no reason given'));
}
