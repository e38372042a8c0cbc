import { randomBytes, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { answerOfFault, emulatorError, transformed, writeAnswer } from './answers.js';
import { type AnswerEncoding, type Fault, planFaults } from './fault.js';
import { Delays, type EmulatorClock } from './emulator-clock.js';
import { type LedgerEntry, RequestLedger } from './ledger.js';
import { LoopbackServer } from './loopback-server.js';
import { containsSecret, redactBody, redactHeaders } from './redaction.js';
import { Script } from './script.js';
import { type JwtHeader, TokenBook, type TokenRecord, signJwt } from './token-book.js';
import { type WireAnswer, type WireRequest, submittedUsername } from './wire-message.js';

/** An account of an emulated upstream, with the same two fields in every dialect. */
export interface EmulatedAccount {
  /** The user name or e-mail address of a login. */
  readonly username: string;
  /** The password or secret key of a login. Never shown in the ledger. */
  readonly secretKey: string;
}

/** The fields of an emulator that are also options of its start: those that hold a string, a number or a boolean. */
export type EmulatorSettings<E> = {
  readonly [K in keyof E as E[K] extends string | number | boolean | undefined ? Exclude<K, 'url'> : never]?: E[K];
};

/** Options of every emulator. */
export interface EmulatorOptions<A extends EmulatedAccount> extends EmulatorSettings<Emulator<A>> {
  /** The accounts that can log in. @default none */
  readonly accounts?: readonly A[];
  /** The port on 127.0.0.1. @default 0, a free port that the system chooses */
  readonly port?: number;
  /** The clock of the emulator. Pass the library's own `ManualClock`. @default real time */
  readonly clock?: EmulatorClock;
  /** Maximum number of requests in the ledger. Counts have no limit. @default 10_000 */
  readonly ledgerSize?: number;
}

/** An emulated upstream: a real HTTP server on the loopback interface that a test scripts, inspects and stops. */
export abstract class Emulator<A extends EmulatedAccount> extends RequestLedger implements AsyncDisposable {
  /** Faults of future requests. */
  readonly faults = new Script<Fault>();
  /** Lifetime in ms of tokens issued from now on; `undefined`: that of the dialect. @default the dialect's */
  tokenLifeMs: number | undefined;
  /**
   * How far the upstream's clock is ahead of `clock`, in ms; negative: behind. Affects `Date`, expiry times and issue times.
   * @default 0
   */
  clockSkewMs = 0;
  /** Whether every answer has a `Date` header, read from the upstream's clock. @default true */
  dateHeader = true;
  /** Whether a login revokes the account's older tokens. @default false */
  oneTokenPerAccount = false;
  /**
   * Whether two tokens of one account that are issued within one second are equal, as JWTs without an id are.
   * @default true for gift-stream, whose documented claims have no id; otherwise false
   */
  equalTokensWithinASecond = false;

  protected readonly tokens = new TokenBook();
  readonly #accounts = new Map<string, A>();
  /** All secret keys so far, because a key that was changed is still a secret. */
  readonly #secrets = new Set<string>();
  readonly #signingKey = randomBytes(64);
  readonly #clock: EmulatorClock;
  readonly #server: LoopbackServer;
  readonly #delays: Delays;

  /** Use a `start…Emulator` function instead: it also sets the options that are fields, and starts to listen. */
  constructor({ clock = { now: () => Date.now() }, ledgerSize = 10_000, port = 0, accounts = [] }: EmulatorOptions<A>) {
    super(ledgerSize);
    this.#clock = clock;
    this.#delays = new Delays(clock);
    this.#server = new LoopbackServer(port, (request, response) => this.#serve(request, response));
    for (const account of accounts) this.addAccount(account);
  }

  /** The answer of the dialect to a request without a scripted fault. */
  protected abstract answer(request: WireRequest): WireAnswer | Promise<WireAnswer>;

  /** The origin, such as `http://127.0.0.1:41234`. Stays the same after `pause` and `resume`. */
  get url(): string {
    return this.#server.url;
  }

  /** The upstream's time: ms since the epoch, skew included. */
  now(): number {
    return this.#clock.now() + this.clockSkewMs;
  }

  /** User names of the accounts. */
  get accounts(): readonly string[] {
    return [...this.#accounts.keys()];
  }

  /** Adds an account. Replaces an account of the same name; its tokens stay valid. */
  addAccount(account: A): void {
    this.#secrets.add(account.secretKey);
    this.#accounts.set(account.username, { ...account });
  }

  /** Removes an account and revokes its tokens. Returns `false` if there was none. */
  removeAccount(username: string): boolean {
    this.tokens.revokeAll(username);
    return this.#accounts.delete(username);
  }

  /** Changes an account's password or key. The account's tokens stay valid until they are revoked. */
  setSecret(username: string, newSecret: string): void {
    const account = this.account(username);
    if (account === undefined) throw new Error(`the emulator has no account named ${username}`);
    this.addAccount({ ...account, secretKey: newSecret });
  }

  /** Revokes the tokens of one account, or all tokens. Returns how many. */
  revokeTokens(username?: string): number {
    return this.tokens.revokeAll(username);
  }

  /** Whether the upstream accepts this token now. */
  isLive(token: string): boolean {
    return this.tokens.live(token, this.now()) !== undefined;
  }

  /** Ends all connections and refuses new ones until `resume`. Accounts, tokens and ledger stay. */
  async pause(): Promise<void> {
    this.#delays.cancel();
    await this.#server.close();
  }

  /** Listens again, on the same port. */
  resume(): Promise<void> {
    return this.#server.open();
  }

  /** Stops the emulator and ends pending answers. Idempotent. */
  stop(): Promise<void> {
    return this.pause();
  }

  /** As {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The account with this user name, or `undefined`. */
  protected account(username: unknown): A | undefined {
    return typeof username === 'string' ? this.#accounts.get(username) : undefined;
  }

  /** The account with this user name and key, or `undefined`. Revokes the account's tokens with `oneTokenPerAccount`. */
  protected logIn(username: unknown, secretKey: unknown): A | undefined {
    const account = this.account(username);
    if (account?.secretKey !== secretKey) return undefined;
    if (account !== undefined && this.oneTokenPerAccount) this.tokens.revokeAll(account.username);
    return account;
  }

  /** Signs a JWT and records the token as valid. The JWT has a `jti` unless `equalTokensWithinASecond` is set. */
  protected issueToken(record: TokenRecord, header: JwtHeader, claims: object): string {
    const jti = this.equalTokensWithinASecond ? {} : { jti: randomUUID() };
    const token = signJwt(header, { ...claims, ...jti }, this.#signingKey);
    this.tokens.put(token, record);
    return token;
  }

  async #serve(request: WireRequest, response: ServerResponse): Promise<void> {
    const settle = this.record(this.#entryOf(request));
    try {
      const plan = planFaults(this.faults.take(request.path, submittedUsername(request)));
      const early = plan.processFirst ? await this.answer(request) : undefined;
      if (plan.delayMs > 0) await this.#delays.wait(plan.delayMs);
      const replacement = plan.ending && answerOfFault(plan.ending);
      if (plan.ending !== undefined && replacement === undefined) {
        settle({ outcome: `fault:${plan.ending.kind}` });
        if (plan.ending.kind === 'reset') response.socket?.resetAndDestroy();
        return;
      }
      const answer = replacement ?? transformed(early ?? (await this.answer(request)), plan.transforms);
      const { status, outcome, account, uuid } = answer;
      settle({ status, outcome, ...(account !== undefined && { account }), ...(uuid !== undefined && { uuid }) });
      await this.#write(response, answer, plan.encoding);
    } catch (error) {
      if (response.destroyed || response.headersSent) return;
      settle({ status: 500, outcome: 'emulator_error' });
      await this.#write(response, emulatorError(error));
    }
  }

  #write(response: ServerResponse, answer: WireAnswer, encoding?: AnswerEncoding): Promise<void> {
    return writeAnswer(response, answer, this.dateHeader ? new Date(this.now()).toUTCString() : undefined, encoding);
  }

  #entryOf(request: WireRequest): LedgerEntry {
    const holdsSecret = (text: string): boolean =>
      this.tokens.find(text) !== undefined || containsSecret(text, this.#secrets);
    const uuid = request.headers['uuid'];
    return {
      ...(typeof uuid === 'string' && { uuid }),
      at: this.#clock.now(),
      method: request.method,
      path: request.path,
      headers: redactHeaders(request.headers, holdsSecret),
      body: redactBody(request, holdsSecret),
      status: undefined,
      outcome: 'pending',
    };
  }
}

/** Starts an emulator of this class. An option that is also a field of the emulator sets that field. */
export async function startEmulator<O extends object, E extends { resume(): Promise<void> }>(
  type: new (options: O) => E,
  options: O,
): Promise<E> {
  const emulator = new type(options);
  const fields = Object.entries(options).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(emulator, name),
  );
  Object.assign(emulator, Object.fromEntries(fields));
  await emulator.resume();
  return emulator;
}
