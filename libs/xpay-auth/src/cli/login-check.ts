import { deadline } from '../async/promises.js';
import { asXPayAuthError, type XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { Credentials } from '../core/credentials.js';
import { Instrumentation } from '../core/instrumentation.js';
import { lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { upstreamCalls } from '../http/upstream-client.js';
import type { ResolvedOptions } from '../nest/options/resolve-options.js';
import type { Report } from './report.js';
import { clientOf } from './upstream-connection.js';

/** Adds the finding about the app account. Logs in only if `tries` is true. */
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
