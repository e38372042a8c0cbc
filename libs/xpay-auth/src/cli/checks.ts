import { flawOf, lengthPrefixed } from '../core/credentials.js';
import { scopeOf } from '../nest/options/resolve-options.js';
import { readCaller } from './caller-credentials.js';
import type { DoctorRequest, WhoamiRequest } from './cli-arguments.js';
import { loadEnvironment } from './environment-files.js';
import { checkRedis } from './redis-checks.js';
import { addLoginFailure, checkAccount, failureOf, logIn } from './login-check.js';
import type { Report } from './report.js';
import { resolve } from './resolved-options.js';
import type { Terminal } from './terminal.js';
import { checkTrustedProxies } from './trusted-proxies.js';
import { checkUpstream } from './upstream-checks.js';

// This module needs the required peers, so it is loaded only after they were checked.

/** Runs the checks of `doctor` that need the required peers. */
export async function examine(report: Report, request: DoctorRequest): Promise<void> {
  const environment = await loadEnvironment(report, request.envFiles);
  checkTrustedProxies(report, request.trustProxy ?? environment.read('TRUST_PROXY'));
  const resolved = resolve(report, request, environment);
  if (resolved === undefined) return;
  const { options, shown, redisUrl, encryptionKeys } = resolved;
  report.options = shown;
  if (await checkUpstream(report, options)) await checkAccount(report, options, request.login);
  if (redisUrl === undefined) {
    report.ok('redis', 'No Redis is configured in the environment. It is needed only for several instances of an app.');
  } else {
    const log = lengthPrefixed(scopeOf(options));
    await checkRedis(report, { url: redisUrl, encryptionKeys, log, clock: options.clock });
  }
}

/** Runs `whoami`: checks the credentials of a caller at the upstream, without the caches and the limits of the app. */
export async function identify(report: Report, request: WhoamiRequest, terminal: Terminal): Promise<void> {
  const environment = await loadEnvironment(report, request.envFiles);
  const resolved = resolve(report, request, environment);
  if (resolved === undefined) return;
  const { options } = resolved;
  const credentials = await readCaller(request.username, terminal);
  report.hide(credentials.secretKey);
  const flaw = flawOf(credentials);
  if (flaw !== undefined) {
    const message = `The library rejects these credentials without a call of the upstream: a field is ${flaw.replace('_', ' ')}`;
    return report.failure('caller', message, 'Check the username and the secret key.');
  }
  try {
    const { grant, lifeMs, lifetime } = await logIn(report, options, credentials, 'verification');
    const { username, scopes, isAPI } = grant;
    const { dialect, baseUrl } = options;
    report.caller = { username, scopes, isAPI, dialect: dialect.name, baseUrl, lifetimeMs: lifeMs ?? null };
    report.ok('caller', `The upstream accepts the credentials. ${lifetime}`);
  } catch (thrown) {
    addLoginFailure(report, 'caller', failureOf(thrown));
  }
}
