import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Clock } from '../../core/clock.js';
import type { Credentials } from '../../core/credentials.js';
import type { Dialect } from '../../core/ports.js';
import type { Store } from '../../core/store.js';
import type { Range } from '../../core/refresh-policy.js';
import type { Limit } from '../../rate-limit/attempts.js';
import type { CredentialsExtractor } from '../request/extractors.js';

/** The dialects that come with the library, by name. `password-login` has no default `baseUrl`. */
export type DialectName = 'xpay' | 'gift-stream' | 'password-login';

/** What stands beside the factory of `forRootAsync`, because it is needed before the factory runs. */
export interface XPayAuthInstanceOptions {
  /**
   * Tells several instances apart, one for each upstream. The unnamed instance is the one that guards use unless
   * `@UseXPay(name)` says otherwise. A letter, then up to 63 letters, digits, `_` and `-`; not `default`.
   * @default none: the unnamed instance
   */
  name?: string;
  /**
   * Whether every module of the app may inject this instance's services without importing this module. Guards resolve
   * everywhere in either case.
   * @default true
   */
  isGlobal?: boolean;
  /**
   * Protects every route of the app unless it is marked `@Public()`. At most one instance may set it.
   * @default false
   */
  globalGuards?: boolean;
}

/** What you may say of an instance of the module. Everything has a default; see each option. */
export interface XPayAuthOptions extends XPayAuthInstanceOptions {
  /**
   * Prefix of the environment variables that speak for this instance.
   * @default `XPAY_` for the unnamed instance; a named one reads none
   */
  envPrefix?: string;
  /**
   * The upstream's language: a name, or a dialect made by `xPay(…)` or by yourself. @default 'xpay'
   */
  dialect?: DialectName | Dialect;
  /**
   * Where the upstream lives: https only, except for loopback and the hosts of `http.allowInsecureHosts`.
   * @default the dialect's own, such as `https://apis.xpay.stream`
   */
  baseUrl?: string;
  /**
   * The app's own account, for calls to the upstream, or a function that reads it. Not needed to verify callers. The function
   * is called for each login, and once more when the upstream refuses what it returned: let it read a vault or a file, and
   * rotate keys without a restart.
   * @default none
   */
  credentials?: Credentials | (() => Credentials | Promise<Credentials>);
  /**
   * Which scopes imply which, such as `{ tme_admin: ['tme_user'] }`. Transitive; a circle stops the boot.
   * @default {} (nothing is implied)
   */
  scopeHierarchy?: Record<string, readonly string[]>;
  /** The app's own token. */
  token?: TokenOptions;
  /** Checking the credentials of callers. */
  verification?: VerificationOptions;
  /** Logins through `XPaySessionService`. */
  session?: SessionOptions;
  /**
   * Limits on failed attempts, or `false` for none.
   * @default by user and address 10 in 15 min, by address 100 in 1 h, by user 100 in 24 h
   */
  attempts?: false | AttemptsOptions;
  /** How the upstream is spoken to. */
  http?: HttpOptions;
  /**
   * What the boot does about a route that has no mark and no guard of this library: nothing, a warning, or stop.
   * @default 'allow'
   */
  undeclaredRoutes?: 'allow' | 'warn' | 'deny';
  /**
   * What several instances of the app share: tokens, sessions, revocations and counts of failed attempts. For Redis:
   * `redisStore(…)` of `nestjs-xpay-auth/redis`. Closed when the last instance that uses it is.
   * @default none: this process's memory
   * @experimental
   */
  store?: Store;
  /**
   * Where the time comes from. For tests: `new ManualClock()` of `nestjs-xpay-auth/testing`. The windows of `attempts` do
   * not follow it: their limiter reads `Date` and Node's own timers.
   * @default the system's
   */
  clock?: Clock;
}

/** The app's own token: when it is renewed, and what happens while the upstream fails. Durations are in ms. */
export interface TokenOptions {
  /**
   * Shares of a token's life between which this instance renews it, behind its callers.
   * @default [0.65, 0.75]
   */
  refreshAt?: readonly [number, number];
  /**
   * Ms before its end from which a token is never handed out. Kept to half of the token's life.
   * @default min(30 s, max(2 s, 5 % of the life), 10 % of the life)
   */
  hardMarginMs?: number;
  /**
   * Ms between attempts while the upstream fails, with full jitter. Without a usable token at most 1 s.
   * @default { min: 1_000, max: 30_000 }
   */
  backoffMs?: Range;
  /**
   * Ms between attempts while the upstream refuses our account: `min`, doubling to `max`.
   * @default { min: 1_000, max: 60_000 }
   */
  rejectedRetryMs?: Range;
  /**
   * Ms a token is taken to live when the upstream does not say. @default 300_000
   */
  fallbackLifeMs?: number;
  /**
   * Ms one whole obtain or refresh may take. @default 10_000
   */
  deadlineMs?: number;
  /**
   * Obtain the token at boot; a refused account then fails the boot. @default false
   */
  warmUp?: boolean;
}

/** How callers present credentials, and how long what the upstream said of them is remembered. Durations are in ms. */
export interface VerificationOptions {
  /**
   * Ms for which accepted credentials are remembered, at most 300_000. Renewed behind the caller in the last quarter.
   * @default 60_000
   */
  periodMs?: number;
  /**
   * Ms for which refused credentials are remembered. At most 300_000. @default 5_000
   */
  refusedPeriodMs?: number;
  /**
   * Callers remembered at once; the least recently seen make room. At most 10_000_000. @default 10_000
   */
  maxEntries?: number;
  /**
   * Checks at the upstream at once; beyond it 503 `overloaded`. A quarter, at least one, is kept for renewing remembered
   * callers. @default 64
   */
  maxConcurrent?: number;
  /**
   * Ms beyond the period for which a remembered caller is let in while the upstream is in trouble; never after a refusal.
   * @default 0 (off)
   */
  staleIfErrorMs?: number;
  /**
   * Share verified credentials through the `store`, so that a caller who meets several instances is checked about once a
   * period instead of once on each. Then the store holds user names and scopes of callers, sealed. @default false
   */
  share?: boolean;
  /**
   * How credentials may be presented. @default ['basic', 'bearer']
   */
  extractors?: readonly ('basic' | 'bearer' | CredentialsExtractor)[];
  /**
   * The realm of the challenges. Printable ASCII. @default 'xpay'
   */
  realm?: string;
  /**
   * Delete the `Authorization` header from a request once its caller is known. @default false
   */
  stripCredentials?: boolean;
}

/** Logins through `XPaySessionService`: how long they live, and what the caller gets. Durations are in ms. */
export interface SessionOptions {
  /**
   * Ms a session lives at most; never longer than the upstream vouches. @default 43_200_000 (12 h)
   */
  periodMs?: number;
  /**
   * Ms without a request after which a session ends. @default off
   */
  idleMs?: number;
  /**
   * What the caller gets: a random token of ours, or the upstream's own. @default 'opaque'
   */
  token?: 'opaque' | 'upstream';
  /**
   * Keep the upstream's token beside the session, for `XPaySessionService.upstreamToken()`. @default false
   */
  keepUpstreamToken?: boolean;
}

/**
 * How many failed attempts are let through before 429. A window has 1_000 to 2_147_483_647 ms. Sources: OWASP ASVS 5.0
 * 6.3.1, NIST SP 800-63B-4 §3.2.2.
 */
export interface AttemptsOptions {
  /**
   * Failures of one user name from one address.
   * @default { attempts: 10, windowMs: 900_000 }
   */
  perUserAndAddress?: Limit;
  /**
   * Failures from one address: IPv4, or the /64 of an IPv6 address. @default { attempts: 100, windowMs: 3_600_000 }
   */
  perAddress?: Limit;
  /**
   * Failures of one user name from anywhere. Addresses from which that user came in lately may still try.
   * @default { attempts: 100, windowMs: 86_400_000 }
   */
  perUser?: Limit;
}

/** How the upstream is spoken to. */
export interface HttpOptions {
  /**
   * Ms for one request to the upstream, at most 2_147_483_647. @default 5_000
   */
  timeoutMs?: number;
  /**
   * Longest answer that is read, in bytes. @default 1_048_576 (1 MiB)
   */
  maxResponseBytes?: number;
  /**
   * Host names to which credentials may go over plain http. Loopback needs no entry. @default []
   */
  allowInsecureHosts?: readonly string[];
  /**
   * Node's agents, for keep-alive, client certificates or a proxy: the environment's is not used. A proxy is used only if an
   * agent given here goes through it: `HTTP_PROXY` and its kind are ignored, as are the app's `axios.defaults` and Node's
   * global agents, so that credentials go where this option says. (Some releases of axios send an https request to such a
   * proxy in clear.)
   * @default agents of this instance's own, which keep connections alive
   */
  agent?: {
    /** For `http:` addresses. */
    http?: HttpAgent;
    /** For `https:` addresses. */
    https?: HttpsAgent;
  };
}

/** What a factory returns: everything that does not stand beside it. */
export type XPayAuthFactoryOptions = Omit<XPayAuthOptions, keyof XPayAuthInstanceOptions>;

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface XPayAuthOptionsFactory {
  /** Called once, at boot. What it throws fails the boot. */
  createXPayAuthOptions(): XPayAuthFactoryOptions | Promise<XPayAuthFactoryOptions>;
}

/** Options made by a factory with what it injects. Exactly one of the three `use…` is needed. */
export interface XPayAuthAsyncOptions extends XPayAuthInstanceOptions, Pick<ModuleMetadata, 'imports'> {
  /** Makes the options from what `inject` names. */
  useFactory?: FactoryProvider<XPayAuthFactoryOptions | Promise<XPayAuthFactoryOptions>>['useFactory'];
  /** What the factory is called with. @default nothing */
  inject?: NonNullable<FactoryProvider['inject']>;
  /** A class that makes the options; an instance of its own is created for it. */
  useClass?: Type<XPayAuthOptionsFactory>;
  /** A class that makes the options, of which the app (by `imports`) has an instance already. */
  useExisting?: Type<XPayAuthOptionsFactory>;
}
