import { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import { pid } from 'node:process';
import { ConnectionDigests, KeyedDigest, lengthPrefixed } from '../../core/credentials.js';
import { configurationError } from '../../core/errors.js';
import type { Store, StoreNotice } from '../../core/store.js';
import { refreshShare } from '../../core/lifetime.js';
import { SleepAwareClock } from '../../async/system-clock.js';
import { Instrumentation } from '../../core/instrumentation.js';
import { type Attempts, CountedAttempts, unlimitedAttempts } from '../../rate-limit/attempts.js';
import { CredentialVerifier } from '../../verification/credential-verifier.js';
import { guardedStore } from '../../cluster/guarded-store.js';
import { RevocationLog } from '../../cluster/revocation-log.js';
import { Revocations } from '../../verification/upstream-check.js';
import { Sessions } from '../../sessions/sessions.js';
import { SharedCredentials } from '../../cluster/shared-credentials.js';
import { SharedSessions } from '../../cluster/shared-sessions.js';
import { AccountChannel } from '../../cluster/account-channel.js';
import { SharedToken } from '../../cluster/shared-token.js';
import { Accounts } from '../../token/accounts.js';
import type { GrantProvider } from '../../token/grant-provider.js';
import { createTokenChain } from '../../token/token-chain.js';
import { axiosTransport, createAxios } from '../../http/axios-transport.js';
import { UpstreamClient, upstreamCalls } from '../../http/upstream-client.js';
import { XPayAuditService } from '../services/audit.service.js';
import { CallerReader, disconnectOf } from '../request/caller-reader.js';
import { retainStore, releaseStore } from './open-stores.js';
import { XPayHttpService } from '../services/http.service.js';
import { DEFAULT_INSTANCE, type ResolvedOptions, scopeOf } from '../options/resolve-options.js';
import { XPaySessionService } from '../services/session.service.js';
import { XPayTokenService } from '../services/token.service.js';
import { warningsOf } from './verification-warnings.js';
import { XPayStrategy } from '../strategy/xpay.strategy.js';

/** Maximum number of users that one line of the log names. */
const MOST_NAMED = 20;

/** One instance of the module. Nest injects its services. */
export interface XPayInstance {
  readonly options: ResolvedOptions;
  /** Identifies the principals of this instance. */
  readonly issuer: symbol;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  readonly sessions: XPaySessionService;
  readonly strategy: XPayStrategy;
  readonly auditing: XPayAuditService;
  /** Reports operations and events to telemetry. */
  readonly instrumentation: Instrumentation;
  /** The cache hits, waiting checks and last failure of the verification of callers. */
  readonly verifier: Pick<CredentialVerifier, 'hits' | 'waiting' | 'failure'>;
  /** The numbers of cache hits for sessions, and of sessions read from the store. */
  readonly sessionCache: Pick<Sessions, 'hits' | 'rereads'>;
  /** Called by Nest after everything that uses the store has stopped. */
  onApplicationShutdown(): Promise<void>;
}

/** The parts of an instance that do not come from its options. */
export interface InstanceSurroundings {
  readonly store?: Store | undefined;
  /** Answers requests instead of the upstream, in tests that open no socket. */
  readonly standIn?: Pick<UpstreamClient, 'send'> | undefined;
}

/** Opens an instance with the store of its options, and logs the address of its upstream. */
export async function openInstance(options: ResolvedOptions): Promise<XPayInstance> {
  const account = options.credentials === undefined ? 'without an app account' : 'with an app account';
  const others = options.accounts === undefined ? '' : ', with accounts known only at run time';
  const origin = options.usesDefaultHost
    ? '. This is the default host; set baseUrl (XPAY_BASE_URL) for another one'
    : '';
  loggerOf(options).log(`Upstream: ${options.dialect.name} at ${options.baseUrl}, ${account}${others}${origin}`);
  return createInstance(options, { store: await options.store?.(options.clock) });
}

function loggerOf({ name }: ResolvedOptions): Logger {
  return new Logger(name === DEFAULT_INSTANCE ? 'XPayAuth' : `XPayAuth:${name}`);
}

/** Creates all parts of an instance and connects them. */
export function createInstance(
  options: ResolvedOptions,
  { store: opened, standIn }: InstanceSurroundings = {},
): XPayInstance {
  const { name, dialect, baseUrl, http, token, session, verification, scopeHierarchy } = options;
  const clock = new SleepAwareClock(options.clock);
  const logger = loggerOf(options);
  const auditing = new XPayAuditService(logger, (): number => verifier.hits + sessions.hits);
  const instrumentation = new Instrumentation();
  const ownTransport = standIn === undefined ? http.transport?.open(http) : undefined;
  const transport = ownTransport ?? axiosTransport(new HttpService(createAxios(http)).axiosRef);
  const client =
    standIn ?? new UpstreamClient({ transport, baseUrl, clock, timeoutMs: http.timeoutMs, instrumentation });
  const { authenticate, refresh, sendApi } = upstreamCalls(dialect, client, instrumentation);

  if (opened !== undefined) retainStore(opened);
  const store = opened && guardedStore(opened, clock, instrumentation);
  const stopNotices = store?.onNotice((notice) => logNotice(logger, notice));
  const scope = scopeOf(options);
  const shares = store && {
    store,
    channel: new AccountChannel(store, scope),
    clock,
    scope,
    hardMarginMs: token.hardMarginMs,
  };
  const process = `${hostname()} ${pid} ${name}`;
  /** The parts that the chain of the app account and those of all other accounts have in common. */
  const chain = {
    clock,
    policy: { ...token, refreshAt: refreshShare(token.refreshAt, process) },
    authenticate,
    refresh,
    random: Math.random,
    share: shares && ((next: GrantProvider) => new SharedToken(shares, next)),
    instrumentation,
  };
  const tokens = new XPayTokenService(logger, { baseUrl, warmUp: token.warmUp, store }, (emit) => ({
    app: createTokenChain({ ...chain, credentials: options.credentials ?? missingAccount(options), emit }),
    accounts:
      options.accounts &&
      new Accounts({
        ...chain,
        ...options.accounts,
        // Tokens that were obtained at the same time are not renewed at the same time.
        refreshAt: (id) => refreshShare(token.refreshAt, `${process} ${id}`),
        emit,
      }),
  }));

  const digest = new KeyedDigest();
  const issuer = Symbol(name);
  /** The parts that verifier, sessions and strategy have in common. */
  const common = {
    instance: name,
    issuer,
    clock,
    digest,
    audit: auditing.record,
    revocations: new Revocations(),
    instrumentation,
  };
  const limits = options.attempts;
  const attempts: Attempts =
    limits === false
      ? unlimitedAttempts
      : new CountedAttempts({
          ...common,
          limits,
          store,
          digest: store ? { of: (text: string) => store.indexOf(lengthPrefixed([...scope, text])) } : digest,
          checkStore: async () => log?.catchUp(),
        });
  const log: RevocationLog | undefined =
    store &&
    new RevocationLog({
      store,
      clock,
      scope: lengthPrefixed(scope),
      onUser: (username) => sessions.userRevoked(username),
      onEverybody: () => sessions.everyoneRevoked(),
      onDataLost: () => attempts.storeLostData(),
      onLost: (users, logouts) => logger.error(lossOf(users, logouts)),
    });
  const cluster = store && log && { ...common, store, log, scope };
  const verifier = new CredentialVerifier({
    ...common,
    policy: {
      ...verification,
      deadlineMs: http.timeoutMs,
      maxUndecided: limits === false ? undefined : limits.perAddress.attempts,
    },
    scopeHierarchy,
    authenticate,
    onFailure: warningsOf(baseUrl, clock, logger),
    attempts,
    shared:
      cluster && verification.share
        ? new SharedCredentials({
            ...cluster,
            baseUrl,
            dialect: dialect.name,
            keepUpstreamToken: verification.keepUpstreamToken,
          })
        : undefined,
  });
  const policy = { ...session, idleMs: session.idleMs };
  const sessions: Sessions = new Sessions({
    ...common,
    policy,
    verifier,
    shared: cluster && {
      log: cluster.log,
      sessions: new SharedSessions({ ...cluster, ...policy, bearersMayRepeat: policy.token === 'upstream' }),
    },
  });

  let hasWarnedOfProxy = false;
  const strategy = new XPayStrategy({
    ...common,
    realm: verification.realm,
    reader: new CallerReader(verification.extractors),
    digests: new ConnectionDigests(digest),
    cachePerConnection: verification.cachePerConnection,
    verifier,
    sessions,
    onUntrustedProxy: () => {
      if (hasWarnedOfProxy) return;
      hasWarnedOfProxy = true;
      logger.warn(
        'Requests come through a proxy this app does not trust, so failed attempts are not counted by address. ' +
          "Set Express' `trust proxy` or Fastify's `trustProxy` to the addresses of your proxies.",
      );
    },
  });

  return {
    options,
    issuer,
    tokens,
    http: new XPayHttpService({ api: dialect.api, send: sendApi, instrumentation, issuer }, tokens),
    sessions: new XPaySessionService(sessions, verifier, (request) => strategy.countedAddressOf(request), disconnectOf),
    strategy,
    auditing,
    instrumentation,
    verifier,
    sessionCache: sessions,
    onApplicationShutdown: async () => {
      await log?.stop();
      sessions.stop();
      stopNotices?.();
      if (opened !== undefined) await releaseStore(opened);
      transport.close();
    },
  };
}

/**
 * The revocations that the other instances did not receive, for the log of an app that stops while the store is unavailable.
 */
function lossOf(users: readonly string[], logouts: number): string {
  const calls = users
    .slice(0, MOST_NAMED)
    .map((user) => (user === '*' ? 'revokeAll()' : `revokeUser(${JSON.stringify(user)})`));
  if (users.length > MOST_NAMED) calls.push(`${users.length - MOST_NAMED} more revocations`);
  if (logouts > 0) calls.push(`${logouts} logout${logouts === 1 ? '' : 's'}`);
  return (
    `Stopped while the shared store is away. The other instances did not receive: ${calls.join(', ')}. ` +
    'These sessions stay valid there until they end; call revokeUser again once the store is back.'
  );
}

function missingAccount({ name, accounts }: ResolvedOptions): () => Promise<never> {
  const how = name === DEFAULT_INSTANCE ? ', or XPAY_USERNAME and XPAY_SECRET_KEY' : '';
  const or = accounts === undefined ? '' : ' For an account of the option accounts, call forAccount(id) first.';
  const message = `XPayAuthModule option credentials: not set, so there is no account to obtain a token for. Set it${how}.${or}`;
  return () => Promise.reject(configurationError(message));
}

function logNotice(logger: Logger, notice: StoreNotice): void {
  if (notice.type === 'warning') logger.warn(notice.message);
  else if (notice.type === 'back') logger.log('The shared store is back');
  else logger.warn(`The shared store is away (${notice.reason}); this instance goes on alone`);
}
