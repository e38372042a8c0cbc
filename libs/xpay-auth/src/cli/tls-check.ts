import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { type PeerCertificate, connect } from 'node:tls';
import { deadline } from '../async/promises.js';
import type { ResolvedOptions } from '../nest/options/resolve-options.js';
import type { Report } from './report.js';
import { NETWORK, codeOf, hostOf, limitsOf } from './upstream-connection.js';

const DAY_MS = 86_400_000;
/** A certificate that expires within this time causes a warning. */
const EXPIRES_SOON_MS = 14 * DAY_MS;

/** Adds the finding about the certificate of the upstream. Returns whether the library accepts the certificate. */
export async function checkTls(report: Report, url: URL, options: ResolvedOptions): Promise<boolean> {
  const host = hostOf(url);
  const port = Number(url.port || 443);
  const servername = isIP(host) === 0 ? host : '';
  // `judge` checks the certificate instead, and the connection carries no data.
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
