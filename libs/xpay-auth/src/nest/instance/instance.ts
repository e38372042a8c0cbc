import { HttpService } from '@nestjs/axios';
import { Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import { KeyedDigest, lengthPrefixed } from '../../core/cache-key.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Store, StoreNotice } from '../../core/store.js';
import { refreshShare } from '../../core/lifetime.js';
import { SleepAwareClock } from '../../async/system-clock.js';
import { Instrumentation } from '../../core/instrumentation.js';
import { unlimitedAttempts } from '../../rate-limit/attempts.js';
import { CountedAttempts } from '../../rate-limit/counted-attempts.js';
import type { AuditSink } from '../../core/audit-events.js';
import { CredentialVerifier } from '../../verification/credential-verifier.js';
import { guardedStore } from '../../cluster/guarded-store.js';
import { RevocationLog } from '../../cluster/revocation-log.js';
import { Revocations, type VerificationFailure } from '../../verification/upstream-check.js';
import { Sessions } from '../../sessions/sessions.js';
import { SharedCredentials } from '../../cluster/shared-credentials.js';
import { SharedSessions } from '../../cluster/shared-sessions.js';
import { SharedToken } from '../../cluster/shared-token.js';
import { createTokenChain } from '../../token/token-chain.js';
import { createAxios } from '../../http/axios.js';
import { axiosTransport } from '../../http/axios-transport.js';
import { upstreamCalls } from '../../http/upstream-calls.js';
import { UpstreamClient } from '../../http/upstream-client.js';
import { XPayAuditService } from '../services/audit.service.js';
import { disconnectOf } from '../request/disconnect.js';
import { CallerReader } from '../request/caller-reader.js';
import { retainStore, releaseStore } from './open-stores.js';
import { XPayHttpService } from '../services/http.service.js';
import { DEFAULT_INSTANCE, type ResolvedOptions } from '../options/resolve-options.js';
import { XPaySessionService } from '../services/session.service.js';
import { XPayTokenService } from '../services/token.service.js';
import { warnOfFailures } from './verification-warnings.js';
import { XPayStrategy } from '../strategy/xpay.strategy.js';

/** Users that a line of the log names at most. */
const MOST_NAMED = 20;

/** One instance of the module, put together. Its services are what Nest injects. */
export interface XPayInstance {
  readonly options: ResolvedOptions;
  /** Identifies the principals of this instance. */
  readonly issuer: symbol;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  readonly sessions: XPaySessionService;
  readonly strategy: XPayStrategy;
  readonly auditing: XPayAuditService;
  readonly audit: AuditSink;
  /** Reports operations and events to telemetry. */
  readonly instrumentation: Instrumentation;
  /** Numbers of cache hits for credentials and sessions, and of reads of the store. */
  readonly recalls: () => { readonly credentials: number; readonly sessions: number; readonly rereads: number };
  /** The number of checks that wait for a place at the upstream. */
  readonly waiting: () => number;
  /** The last failure of a verification; `undefined` if the upstream has decided since. */
  readonly trouble: () => VerificationFailure | undefined;
  /** Nest calls it, after everything that uses the store has stopped. */
  onApplicationShutdown(): Promise<void>;
}

/** The parts of an instance that do not come from its options. */
export interface InstanceSurroundings {
  readonly store?: Store | undefined;
  /** Answers where no socket may open. */
  readonly standIn?: Pick<UpstreamClient, 'send'> | undefined;
}

/** Opens an instance with the store of its options, and logs where its upstream is. */
export async function openInstance(options: ResolvedOptions): Promise<XPayInstance> {
  const account = options.credentials === undefined ? 'without an app account' : 'with an app account';
  const origin = options.usesDefaultHost
    ? '. This is the default host; set baseUrl (XPAY_BASE_URL) for another one'
    : '';
  loggerOf(options).log(`Upstream: ${options.dialect.name} at ${options.baseUrl}, ${account}${origin}`);
  return createInstance(options, { store: await options.store?.(options.clock) });
}

function loggerOf({ name }: ResolvedOptions): Logger {
  return new Logger(name === DEFAULT_INSTANCE ? 'XPayAuth' : `XPayAuth:${name}`);
}

/** Puts an instance together: the one place where ports meet what fills them. */
export function createInstance(
  options: ResolvedOptions,
  { store: opened, standIn }: InstanceSurroundings = {},
): XPayInstance {
  const { name, dialect, baseUrl, http } = options;
  const clock = new SleepAwareClock(options.clock);
  const logger = loggerOf(options);
  const auditing = new XPayAuditService(logger, (): number => verifier.hits + sessions.hits);
  const audit = auditing.record;

  const instrumentation = new Instrumentation();
  const transport = axiosTransport(new HttpService(createAxios(http)).axiosRef);
  const client =
    standIn ?? new UpstreamClient({ transport, baseUrl, clock, timeoutMs: http.timeoutMs, instrumentation });
  const questions = upstreamCalls(dialect, client, instrumentation);

  if (opened !== undefined) retainStore(opened);
  const guarded = opened && guardedStore(opened, clock);
  const unheard = guarded?.onNotice((notice) => logNotice(logger, notice));
  const store = guarded && instrumentation.observeStore(guarded);
  const { hardMarginMs } = options.token;
  const scope = [name, dialect.name, baseUrl];
  const tokens = new XPayTokenService(logger, { baseUrl, warmUp: options.token.warmUp, store }, (emit) => {
    return createTokenChain({
      clock,
      policy: {
        ...options.token,
        refreshAt: refreshShare(options.token.refreshAt, `${hostname()} ${process.pid} ${name}`),
      },
      credentials: options.credentials ?? missingAccount(options),
      authenticate: questions.authenticate,
      refresh: questions.refresh,
      emit,
      random: Math.random,
      share: store && ((next) => new SharedToken({ store, clock, scope, hardMarginMs }, next)),
      instrumentation,
    });
  });

  const issuer = Symbol(name);
  const digest = new KeyedDigest();
  const revocations = new Revocations();
  const names =
    store === undefined ? digest : { of: (text: string) => store.indexOf(lengthPrefixed([...scope, text])) };
  const attempts =
    options.attempts === false
      ? unlimitedAttempts
      : new CountedAttempts({ limits: options.attempts, clock, digest: names, audit, store });
  const log =
    store &&
    new RevocationLog({
      store,
      clock,
      scope: lengthPrefixed(scope),
      onUser: (username) => sessions.userRevoked(username),
      onEverybody: () => {
        sessions.everyoneRevoked();
        attempts.republish();
      },
      onLost: (users, logouts) => logger.error(lossOf(users, logouts)),
    });
  const verifier = new CredentialVerifier({
    instance: name,
    issuer,
    dialect: dialect.name,
    baseUrl,
    clock,
    digest,
    policy: {
      ...options.verification,
      deadlineMs: http.timeoutMs,
      maxUndecided: options.attempts === false ? undefined : options.attempts.perAddress.attempts,
    },
    scopeHierarchy: options.scopeHierarchy,
    authenticate: warnOfFailures(questions.authenticate, baseUrl, clock, logger),
    attempts,
    revocations,
    audit,
    shared:
      store && log && options.verification.share
        ? new SharedCredentials({ store, log, clock, instance: name, issuer })
        : undefined,
    instrumentation,
  });
  const bearersMayRepeat = options.session.token === 'upstream';
  const { periodMs, idleMs, maxPerUser } = options.session;
  const sessions: Sessions = new Sessions({
    clock,
    digest,
    policy: { ...options.session, idleMs },
    verifier,
    revocations,
    audit,
    shared: store &&
      log && {
        sessions: new SharedSessions({
          store,
          log,
          clock,
          scope,
          issuer,
          periodMs,
          idleMs,
          maxPerUser,
          bearersMayRepeat,
        }),
        log,
      },
    instrumentation,
  });

  const strategy = new XPayStrategy({
    instance: name,
    realm: options.verification.realm,
    reader: new CallerReader(options.verification.extractors),
    clock,
    digest,
    verifier,
    sessions,
    audit,
    onUntrustedProxy: once(() => {
      logger.warn(
        'Requests come through a proxy this app does not trust, so failed attempts are not counted by address. ' +
          "Set Express' `trust proxy` or Fastify's `trustProxy`.",
      );
    }),
    instrumentation,
  });

  return {
    options,
    issuer,
    tokens,
    http: new XPayHttpService({ tokens: tokens.source, api: dialect.api, send: questions.sendApi, instrumentation }),
    sessions: new XPaySessionService(sessions, verifier, (request) => strategy.countedAddressOf(request), disconnectOf),
    strategy,
    auditing,
    audit,
    instrumentation,
    recalls: () => ({ credentials: verifier.hits, sessions: sessions.hits, rereads: sessions.rereads }),
    waiting: () => verifier.waiting,
    trouble: () => verifier.failure,
    onApplicationShutdown: async () => {
      await log?.stop();
      sessions.stop();
      unheard?.();
      if (opened !== undefined) await releaseStore(opened);
    },
  };
}

/** Says what an app that stops during an outage of the store could not tell the other instances. */
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

function missingAccount({ name }: ResolvedOptions): () => Promise<never> {
  const how = name === DEFAULT_INSTANCE ? ', or XPAY_USERNAME and XPAY_SECRET_KEY' : '';
  const message = `XPayAuthModule option credentials: not set, so there is no account to obtain a token for. Set it${how}.`;
  return () => Promise.reject(new XPayAuthError('configuration', message));
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

function logNotice(logger: Logger, notice: StoreNotice): void {
  if (notice.type === 'warning') logger.warn(notice.message);
  else if (notice.type === 'back') logger.log('The shared store is back');
  else logger.warn(`The shared store is away (${notice.reason}); this instance goes on alone`);
}
