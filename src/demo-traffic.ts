import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { Fault } from 'nestjs-xpay-auth/testing';

export interface DemoAccount {
  readonly username: string;
  readonly secretKey: string;
}

/** The parts of each emulator that the traffic uses. */
interface Upstream {
  tokenLifeMs: number | undefined;
  readonly faults: { clear(): void; always(fault: Fault, scope?: { readonly username: string }): void };
  addAccount(account: DemoAccount & { readonly scope: string; readonly scopes: readonly string[] }): void;
}

export interface DemoTrafficParts {
  readonly emulator: Upstream;
  readonly dialect: 'xpay' | 'gift-stream' | 'password-login';
  /** An account that the reader of the demo also uses. */
  readonly user: DemoAccount;
  /** The user name of the app account. */
  readonly appUsername: string;
  /** The scope of the callers; empty if the dialect has no scopes. */
  readonly scope: string;
}

/** The app that receives the traffic. */
export interface DemoTarget {
  readonly url: string;
  /** Obtains a new app token. */
  refreshToken(): Promise<unknown>;
  /** Gets the app token. If the renewal of the token is due, this call starts it. */
  useToken(): Promise<unknown>;
}

/** Length of a cycle in s. Each cycle has one crowd and one outage. */
const CYCLE_S = 60;
/** Second of a cycle in which many first-seen callers send a request at the same time. */
const CROWD_AT_S = 8;
/**
 * Seconds of a cycle in which the upstream answers 503. The outage begins before the first token is stale, and lasts longer than
 * the time after which a token becomes stale (65 % to 75 % of its lifetime), so renewals fail in every outage.
 */
const OUTAGE_S = { from: 13, to: 33 };
/** Lifetime in ms of the app token, short enough for several renewals per minute. */
const TOKEN_LIFE_MS = 24_000;
/** Number of callers in a crowd. Only 64 checks run at the same time, so some of the crowd wait. */
const CROWD = 100;
const REGULARS = 8;
/** Callers who return less than once a minute, so they are never cached. During the outage they receive a 503. */
const OCCASIONALS = 40;
const MOST_PENDING = 600;

/**
 * Sends requests to the app for accounts of the emulator and for an attacker who guesses keys, and makes the upstream fail, so that
 * the status page shows renewals, an outage and a lockout within a minute. The attacker's guesses stay below the limit per address,
 * because the user of the demo has the same address.
 */
export class DemoTraffic {
  readonly #regulars: readonly DemoAccount[] = accounts('regular', REGULARS);
  readonly #crowd: readonly DemoAccount[] = accounts('visitor', CROWD);
  readonly #occasionals: readonly DemoAccount[] = accounts('occasional', OCCASIONALS);
  #target: DemoTarget | undefined;
  #timer: NodeJS.Timeout | undefined;
  #second = 0;
  #pending = 0;

  constructor(private readonly parts: DemoTrafficParts) {}

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Sets the app that receives the traffic. Call this method before {@link start}. */
  aimAt(target: DemoTarget): void {
    this.#target = target;
  }

  start(): void {
    if (this.isRunning) return;
    const { emulator, dialect, scope } = this.parts;
    for (const account of [...this.#regulars, ...this.#crowd, ...this.#occasionals]) {
      emulator.addAccount({ ...account, scope, scopes: scope === '' ? [] : [scope] });
    }
    // gift-stream states the lifetime in a signed token, so the lifetime can only be shortened for all accounts.
    if (dialect === 'gift-stream') emulator.tokenLifeMs = TOKEN_LIFE_MS;
    new Logger('ReferenceApp').log('The demo traffic runs. Until it stops, only errors are logged.');
    Logger.overrideLogger(['error', 'fatal']);
    this.#second = 0;
    this.#timer = setInterval(() => this.#tick(), 1_000).unref();
    void this.#target?.refreshToken().catch(() => undefined);
    this.#tick();
  }

  stop(): void {
    if (!this.isRunning) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const { emulator } = this.parts;
    emulator.faults.clear();
    emulator.tokenLifeMs = undefined;
    Logger.overrideLogger(['log', 'warn', 'error', 'fatal', 'debug', 'verbose']);
    new Logger('ReferenceApp').log('The demo traffic has stopped.');
  }

  #tick(): void {
    const second = this.#second % CYCLE_S;
    this.#second += 1;
    this.#scriptUpstream(second);
    const { user, dialect } = this.parts;
    const calls = 6 + Math.round(4 * Math.sin(second / 5) + Math.random() * 3);
    for (let call = 0; call < calls; call++) this.#later(() => this.#me(this.#regulars[call % REGULARS] ?? user));
    this.#later(() => this.#me({ username: 'attacker@example.test', secretKey: `guess-${this.#second}` }));
    if (second % 2 === 0) this.#later(() => this.#call('/me', {}));
    if (second % 2 === 1) this.#later(() => this.#me(this.#occasionals[(this.#second >> 1) % OCCASIONALS] ?? user));
    if (second % 3 === 0) this.#later(() => this.#call('/admin/report', { headers: basic(user) }));
    if (second % 10 === 5) void this.#session(this.#regulars[((this.#second / 10) % REGULARS) | 0] ?? user);
    if (second === CROWD_AT_S) for (const visitor of this.#crowd) void this.#me(visitor);
    if (dialect === 'xpay') this.#later(() => this.#call('/wallets/find', { method: 'POST', headers: basic(user) }));
    void this.#target?.useToken().catch(() => undefined);
  }

  #scriptUpstream(second: number): void {
    const { emulator, appUsername } = this.parts;
    const { faults } = emulator;
    faults.clear();
    faults.always({ kind: 'transform', transform: withShortLife }, { username: appUsername });
    const fails = second >= OUTAGE_S.from && second < OUTAGE_S.to;
    const ms = second === CROWD_AT_S || second === CROWD_AT_S + 1 ? 450 : 20 + Math.random() * 60;
    faults.always({ kind: 'delay', ms, ...(fails && { followedBy: { kind: 'unavailable' } }) });
  }

  /** Makes a call at a random time within this second. */
  #later(call: () => Promise<unknown>): void {
    setTimeout(() => void call(), Math.random() * 900).unref();
  }

  #me(account: DemoAccount): Promise<unknown> {
    return this.#call('/me', { headers: basic(account) });
  }

  /** Logs in, and logs out some seconds later. */
  async #session({ username, secretKey }: DemoAccount): Promise<void> {
    const body = JSON.stringify({ username, secretKey });
    const jsonHeaders = { 'content-type': 'application/json' };
    const text = await this.#call('/auth/login', { method: 'POST', headers: jsonHeaders, body });
    const [, token] = /"accessToken":"([^"]+)"/.exec(text) ?? [];
    if (token === undefined) return;
    const headers = { authorization: `Bearer ${token}` };
    setTimeout(() => void this.#call('/me', { headers }), 5_000).unref();
    setTimeout(() => void this.#call('/auth/logout', { method: 'POST', headers }), 15_000).unref();
  }

  /** Returns the body of the response, or an empty text if there is none. */
  async #call(path: string, init: RequestInit): Promise<string> {
    const url = this.#target?.url;
    if (url === undefined || this.#pending >= MOST_PENDING) return '';
    this.#pending += 1;
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(10_000) });
      return await response.text();
    } catch {
      return '';
    } finally {
      this.#pending -= 1;
    }
  }
}

/** Shortens the lifetime that the answer to a login states, for the dialects that state it in the answer. */
function withShortLife(body: unknown): unknown {
  const { success } = body as { readonly success?: { readonly data?: object } };
  if (success?.data !== undefined && 'expiresAt' in success.data) {
    return { success: { ...success, data: { ...success.data, expiresAt: Date.now() + TOKEN_LIFE_MS } } };
  }
  const isToken = typeof body === 'object' && body !== null && 'access_token' in body;
  return isToken ? { ...body, expires_in: TOKEN_LIFE_MS / 1_000 } : body;
}

function accounts(name: string, count: number): DemoAccount[] {
  return Array.from({ length: count }, (_, i) => ({
    username: `${name}-${i + 1}@example.test`,
    secretKey: randomBytes(12).toString('base64url'),
  }));
}

function basic({ username, secretKey }: DemoAccount): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}
