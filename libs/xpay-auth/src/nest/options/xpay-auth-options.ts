import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Clock } from '../../core/clock.js';
import type { Credentials } from '../../core/credentials.js';
import type { Dialect } from '../../core/ports.js';
import type { Store } from '../../core/store.js';
import type { HttpTransport } from '../../http/transport.js';
import type { Range } from '../../async/backoff.js';
import type { Limit } from '../../rate-limit/attempt-counter.js';
import type { CredentialsExtractor } from '../../core/incoming-request.js';

/** The names of the built-in dialects. `password-login` has no default `baseUrl`. */
export type DialectName = 'xpay' | 'gift-stream' | 'password-login';

/** Options of an instance that are needed before the factory of `forRootAsync` runs. Pass them beside the factory. */
export interface XPayAuthInstanceOptions {
  /**
   * Name of the module instance; import the module once per upstream, each time with another name. Guards use the unnamed
   * instance, except on routes with `@UseXPay(name)`. A letter, then up to 63 letters, digits, `_` and `-`; not `default`.
   * @default none: the unnamed instance
   */
  name?: string;
  /**
   * Whether every module of the app can inject the services of this instance without importing this module. Guards work in
   * every module in either case.
   * @default true
   */
  isGlobal?: boolean;
  /**
   * Protects every controller route of the app, except those with `@Public()`. Routes outside controllers, such as Swagger UI and
   * static files, are not protected. At most one instance can set this option.
   * @default false
   */
  globalGuards?: boolean;
}

/** The options of one instance of the module. Every option has a default. */
export interface XPayAuthOptions extends XPayAuthInstanceOptions {
  /**
   * Prefix of the environment variables that this instance reads.
   * @default `XPAY_` for the unnamed instance; a named instance reads no variables
   */
  envPrefix?: string;
  /**
   * The protocol of the upstream: the name of a built-in dialect, the result of a factory such as `xPay(…)`, or your own dialect.
   * @default 'xpay'
   */
  dialect?: DialectName | Dialect;
  /**
   * Base URL of the upstream: https only, except for loopback and the hosts in `http.allowInsecureHosts`.
   * @default the default of the dialect, such as `https://apis.xpay.stream`
   */
  baseUrl?: string;
  /**
   * The app account, used for calls to the upstream, or a function that returns it. Not needed to verify callers. The function
   * is called for each login, and once more if the upstream rejects the account that it returned. The function can read a vault or
   * a file, so you can change the secret key without a restart.
   * @default none
   */
  credentials?: Credentials | (() => Credentials | Promise<Credentials>);
  /**
   * Accounts that are known only at run time, such as one for each merchant or tenant: `xpay.forAccount(id)` and
   * `tokens.forAccount(id)` use them.
   * @default none
   */
  accounts?: AccountsOptions;
  /**
   * Scopes that imply other scopes, such as `{ tme_admin: ['tme_user'] }`. Implied scopes can imply further scopes. A cycle fails the boot.
   * @default {} (no scope implies another)
   */
  scopeHierarchy?: Record<string, readonly string[]>;
  /** Options of the app token. */
  token?: TokenOptions;
  /** Options for the verification of callers. */
  verification?: VerificationOptions;
  /** Options of the sessions that `XPaySessionService` creates. */
  session?: SessionOptions;
  /**
   * Limits on failed attempts, or `false` to disable them.
   * @default 10 in 15 min per pair of user and address; 100 in 1 h per address; 100 in 24 h per user
   */
  attempts?: false | AttemptsOptions;
  /** Options of the HTTP client that calls the upstream. */
  http?: HttpOptions;
  /**
   * Effect at boot of a route that has no decorator and no guard of this library: `allow` does nothing, `warn` logs a warning, and
   * `deny` fails the boot.
   * @default 'allow'
   */
  undeclaredRoutes?: 'allow' | 'warn' | 'deny';
  /**
   * Store in which several instances of the app share tokens, sessions, revocations and counts of failed attempts. For Redis
   * use `redisStore(…)` of `nestjs-xpay-auth/redis`. The store is closed with the last instance that uses it.
   * @default none: the memory of the process
   * @experimental
   */
  store?: Store;
  /**
   * The clock that the library reads. For tests: `new ManualClock()` of `nestjs-xpay-auth/testing`. In a `redisStore`, entries and the
   * windows of `attempts` follow the server's clock.
   * @default the system clock
   */
  clock?: Clock;
}

/** Options of the accounts that are known only at run time. */
export interface AccountsOptions {
  /**
   * Returns the credentials of the account with this id, or `undefined` if there is no such account; the caller then gets 404
   * `unknown_account`. The function is called for each login, and once more if the upstream rejects the credentials. An
   * `HttpException` that it throws is passed to the caller unchanged. The id may come from a request, so do not trust it.
   * @default none: required
   */
  credentials: (id: string) => Credentials | undefined | Promise<Credentials | undefined>;
  /**
   * Maximum number of accounts whose tokens are kept in memory, up to 1_000_000; the least recently used are evicted. An evicted
   * account obtains a token again when it is next used. Its failures and rejections are kept in a separate table.
   * @default 1_000
   */
  maxEntries?: number;
}

/** Options of the app token: when it is refreshed, and what happens while the upstream fails. Durations in milliseconds. */
export interface TokenOptions {
  /**
   * Range of the token lifetime, as two fractions; each instance refreshes the token in the background at its own point in this
   * range.
   * @default [0.65, 0.75]
   */
  refreshAt?: readonly [number, number];
  /**
   * Milliseconds before the expiry during which the token is no longer used. At most half of the token lifetime.
   * @default min(30 s, max(2 s, 5 % of the lifetime), 10 % of the lifetime)
   */
  hardMarginMs?: number;
  /**
   * Milliseconds between attempts to obtain a token while the upstream fails, with full jitter: from `min` to a bound that starts
   * at twice `min` and doubles up to `max`. The wait is shortened in proportion if the token lifetime is less than a minute, and
   * is at most 1 s while there is no usable token.
   * @default { min: 125, max: 30_000 }
   */
  backoffMs?: Range;
  /**
   * Milliseconds between attempts to obtain a token while the upstream rejects the app account; the wait starts at `min` and doubles
   * up to `max`.
   * @default { min: 1_000, max: 60_000 }
   */
  rejectedRetryMs?: Range;
  /**
   * Token lifetime in milliseconds if the upstream does not state one. @default 300_000
   */
  fallbackLifeMs?: number;
  /**
   * Deadline in milliseconds of one complete login or refresh. @default 10_000
   */
  deadlineMs?: number;
  /**
   * Obtain the token at boot; if the upstream rejects the app account, the boot fails. @default false
   */
  warmUp?: boolean;
}

/** How callers present credentials, and how long verification results are cached. Durations in milliseconds. */
export interface VerificationOptions {
  /**
   * Milliseconds for which accepted credentials are cached, at most 300_000. In the last quarter of the period, a request
   * renews the entry in the background.
   * @default 60_000
   */
  periodMs?: number;
  /**
   * Milliseconds for which rejected credentials are cached, at most 300_000. @default 5_000
   */
  refusedPeriodMs?: number;
  /**
   * Maximum number of cached credentials, up to 10_000_000; the least recently used are evicted. @default 10_000
   */
  maxEntries?: number;
  /**
   * Maximum number of concurrent checks at the upstream; further checks wait. A quarter, at least one, is reserved for the renewal of
   * cached credentials. @default 64
   */
  maxConcurrent?: number;
  /**
   * Maximum number of callers who wait for a check; if more callers wait, the newest caller from the address with the most waiting
   * callers gets 503 `overloaded`. With `0`, callers do not wait. @default 10_000
   */
  maxQueued?: number;
  /**
   * Milliseconds that a caller waits for a check before the caller gets 503 `overloaded`; the caller waits up to four times as long if
   * the callers ahead are served fast enough. @default 5_000
   */
  queueTimeoutMs?: number;
  /**
   * Milliseconds after the period for which cached credentials are still accepted while the upstream fails, or has not answered
   * a renewal yet; never after a rejection.
   * @default 0 (off)
   */
  staleIfErrorMs?: number;
  /**
   * Share verified credentials through the `store`, so that all instances together check a caller about once per period.
   * The store then holds usernames and scopes of callers, encrypted. @default false
   */
  share?: boolean;
  /**
   * Keep the upstream token of each cached caller, for `XPayHttpService.asCaller()`. With `share`, the store holds the tokens too,
   * encrypted. @default false
   */
  keepUpstreamToken?: boolean;
  /**
   * Keep the last `Authorization` line of each connection in memory, so that the requests of a cached caller on one connection
   * cost no digest. A connection that has carried two different lines is excluded for as long as it is open. @default true
   */
  cachePerConnection?: boolean;
  /**
   * Accepted ways to present credentials. @default ['basic', 'bearer']
   */
  extractors?: readonly ('basic' | 'bearer' | CredentialsExtractor)[];
  /**
   * Realm in the challenges, in printable ASCII. @default 'xpay'
   */
  realm?: string;
  /**
   * Delete the `Authorization` header from the request after authentication. @default false
   */
  stripCredentials?: boolean;
}

/** Options of the sessions that `XPaySessionService` creates. Durations in milliseconds. */
export interface SessionOptions {
  /**
   * Maximum lifetime of a session in milliseconds; the expiry that the upstream reports can end it earlier.
   * @default 43_200_000 (12 h)
   */
  periodMs?: number;
  /**
   * Milliseconds without a request after which a session ends; with a `store`, after 90 to 100 % of them. The checks of an open
   * socket count as requests. @default off: sessions have no idle timeout
   */
  idleMs?: number;
  /**
   * Kind of token that a login returns: a random token of this app, or the token of the upstream, which must be a `b64token` (RFC
   * 6750 §2.1). @default 'opaque'
   */
  token?: 'opaque' | 'upstream';
  /**
   * Keep the upstream token with the session, for `XPayHttpService.asCaller()` and `XPaySessionService.upstreamToken()`.
   * @default false
   */
  keepUpstreamToken?: boolean;
  /**
   * Maximum number of sessions of one user, on all instances that share a `store` together. A login beyond the maximum ends the
   * user's oldest session. @default 100
   */
  maxPerUser?: number;
}

/**
 * Numbers of failed attempts after which the guards return 429. A window has 1_000 to 2_147_483_647 ms. Sources: OWASP ASVS
 * 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2.
 */
export interface AttemptsOptions {
  /**
   * Failed attempts for one username from one address.
   * @default { attempts: 10, windowMs: 900_000 }
   */
  perUserAndAddress?: Limit;
  /**
   * Failed attempts from one address: an IPv4 address, or the /64 network of an IPv6 address.
   * @default { attempts: 100, windowMs: 3_600_000 }
   */
  perAddress?: Limit;
  /**
   * Failed attempts for one username from all addresses. The user can still try from addresses where this user was authenticated
   * within the last 30 days.
   * @default { attempts: 100, windowMs: 86_400_000 }
   */
  perUser?: Limit;
}

/** Options of the HTTP client that calls the upstream. */
export interface HttpOptions {
  /**
   * Timeout in milliseconds of one request to the upstream, at most 2_147_483_647. @default 5_000
   */
  timeoutMs?: number;
  /**
   * Maximum size of a response in bytes. @default 1_048_576 (1 MiB)
   */
  maxResponseBytes?: number;
  /**
   * Host names that may receive credentials over plain http. Loopback needs no entry. @default []
   */
  allowInsecureHosts?: readonly string[];
  /**
   * Agents of Node, for keep-alive, client certificates or a proxy; proxy variables such as `HTTP_PROXY` are ignored. The
   * `axios.defaults` of the app and the global agents of Node are ignored too, so that credentials go only where this option
   * says. (Some releases of axios send an https request to such a proxy in clear.)
   * @default agents of this instance, with keep-alive
   */
  agent?: {
    /** Agent for `http:` addresses. */
    http?: HttpAgent;
    /** Agent for `https:` addresses. */
    https?: HttpsAgent;
  };
  /**
   * Transport of requests to the upstream: `undiciTransport()` of `nestjs-xpay-auth/undici` uses less CPU time than axios. The boot
   * fails if `http.agent` is set too.
   * @default axios, through `@nestjs/axios`
   */
  transport?: HttpTransport;
}

/** The options that a factory returns: all except the options that are passed beside the factory. */
export type XPayAuthFactoryOptions = Omit<XPayAuthOptions, keyof XPayAuthInstanceOptions>;

/** A class that creates the options, for `useClass` and `useExisting`. */
export interface XPayAuthOptionsFactory {
  /** Called once, at boot. If it throws, the boot fails. */
  createXPayAuthOptions(): XPayAuthFactoryOptions | Promise<XPayAuthFactoryOptions>;
}

/** The argument of `forRootAsync`. Set exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface XPayAuthAsyncOptions extends XPayAuthInstanceOptions, Pick<ModuleMetadata, 'imports'> {
  /** Returns the options. Its arguments are the providers in `inject`. */
  useFactory?: FactoryProvider<XPayAuthFactoryOptions | Promise<XPayAuthFactoryOptions>>['useFactory'];
  /** Providers that are passed to the factory. @default none */
  inject?: NonNullable<FactoryProvider['inject']>;
  /** A class that creates the options. The module creates an instance of it. */
  useClass?: Type<XPayAuthOptionsFactory>;
  /** A class that creates the options. The module uses the provider of this class from a module in `imports`. */
  useExisting?: Type<XPayAuthOptionsFactory>;
}
