import type { IncomingMessage, ServerResponse } from 'node:http';
import { AccountBook, type EmulatedAccount } from './account-book.js';
import { writeAnswer } from './answer-writer.js';
import { answerOfFault, emulatorError, transformed } from './fault-answer.js';
import { type AnswerEncoding, type Fault, planFaults } from './fault.js';
import { type EmulatorClock, Gone, Waits } from './emulator-clock.js';
import { Ledger, type LedgerEntry } from './ledger.js';
import { LoopbackServer } from './loopback-server.js';
import { redactBody, redactHeaders } from './redaction.js';
import { Script } from './script.js';
import { submittedUsername } from './submitted-username.js';
import { TokenBook } from './token-book.js';
import { RequestTooLarge, type WireAnswer, type WireRequest, readWireRequest } from './wire-message.js';

/** What every emulator can be told at its start. */
export interface EmulatorOptions<A extends EmulatedAccount> {
  /** Who may log in. @default nobody */
  readonly accounts?: readonly A[];
  /** The port on 127.0.0.1. @default 0, a free port of the system's choice */
  readonly port?: number;
  /** The time it lives in; give it the library's own `ManualClock`. @default real time */
  readonly clock?: EmulatorClock;
  /** How far the upstream's clock is ahead of `clock`, in ms; negative: behind. @default 0 */
  readonly clockSkewMs?: number;
  /** Does every answer carry `Date`, read from the upstream's clock? @default true */
  readonly dateHeader?: boolean;
  /** Life of the tokens minted from now on, in ms. @default the dialect's own */
  readonly tokenLifeMs?: number;
  /** Does a login end the account's older tokens? @default false */
  readonly oneTokenPerAccount?: boolean;
  /**
   * Are two tokens minted for one account in one second the same bytes, as JWTs without an id of their own are?
   * @default true for gift-stream, whose documented claims leave no room for an id; otherwise false
   */
  readonly equalTokensWithinASecond?: boolean;
  /** How many requests the ledger keeps; counting has no limit. @default 10_000 */
  readonly ledgerSize?: number;
}

/** An upstream's stand-in on the loopback interface: a real HTTP server that a test scripts, questions and stops. */
export abstract class Emulator<A extends EmulatedAccount> implements AsyncDisposable {
  /** What is to go wrong with coming requests. */
  readonly faults = new Script<Fault>();
  /** Life of the tokens minted from now on, in ms; `undefined`: the dialect's own. */
  tokenLifeMs: number | undefined;
  /** How far the upstream's clock is ahead of ours, in ms. Shows in `Date`, in expiry and in issue times. */
  clockSkewMs: number;
  /** Does every answer carry `Date`? */
  dateHeader: boolean;
  /** Does a login end the account's older tokens? */
  oneTokenPerAccount: boolean;
  /** Are two tokens minted for one account in one second the same bytes? */
  equalTokensWithinASecond: boolean;

  protected readonly accountBook = new AccountBook<A>();
  protected readonly tokens = new TokenBook();
  readonly #clock: EmulatorClock;
  readonly #ledger: Ledger;
  readonly #server: LoopbackServer;
  readonly #waits: Waits;

  protected constructor(options: EmulatorOptions<A>, equalTokensByDefault: boolean) {
    this.tokenLifeMs = options.tokenLifeMs;
    this.clockSkewMs = options.clockSkewMs ?? 0;
    this.dateHeader = options.dateHeader ?? true;
    this.oneTokenPerAccount = options.oneTokenPerAccount ?? false;
    this.equalTokensWithinASecond = options.equalTokensWithinASecond ?? equalTokensByDefault;
    this.#clock = options.clock ?? { now: () => Date.now() };
    this.#waits = new Waits(this.#clock);
    this.#ledger = new Ledger(options.ledgerSize ?? 10_000);
    this.#server = new LoopbackServer(options.port ?? 0, (request, response) => void this.#serve(request, response));
    for (const account of options.accounts ?? []) this.addAccount(account);
  }

  /** The dialect: what this upstream answers when nothing is scripted. */
  protected abstract answer(request: WireRequest): WireAnswer | Promise<WireAnswer>;

  /** Origin, such as `http://127.0.0.1:41234`; the same after `pause` and `resume`. */
  get url(): string {
    return this.#server.url;
  }

  /** The upstream's time: ms since the epoch, skew included. */
  now(): number {
    return this.#clock.now() + this.clockSkewMs;
  }

  /** The latest requests, oldest first, without secrets. */
  get ledger(): readonly LedgerEntry[] {
    return this.#ledger.entries;
  }

  /** How many requests have arrived, at one path (`/client/wallets/*` for all below) or altogether; faulty ones count too. */
  requests(path?: string): number {
    return this.#ledger.count(path);
  }

  /** Resolves once `count` requests have arrived; rejects after `withinMs` of real time. @default 5_000 */
  waitForRequests(count: number, path?: string, withinMs = 5_000): Promise<void> {
    return this.#ledger.reach(count, path, withinMs);
  }

  /** Empties the ledger and counts from nought. */
  resetLedger(): void {
    this.#ledger.reset();
  }

  /** User names of the accounts. */
  get accounts(): readonly string[] {
    return this.accountBook.usernames;
  }

  /** Adds an account; one of the same name is replaced and keeps its tokens. */
  addAccount(account: A): void {
    this.accountBook.put(account);
  }

  /** Removes an account and ends its tokens; `false` when there was none. */
  removeAccount(username: string): boolean {
    this.tokens.revokeAll(username);
    return this.accountBook.remove(username);
  }

  /** Changes an account's password or key; its tokens live on unless revoked. */
  setSecret(username: string, newSecret: string): void {
    this.accountBook.setSecret(username, newSecret);
  }

  /** Ends one account's tokens, or everybody's, before their time; returns how many. */
  revokeTokens(username?: string): number {
    return this.tokens.revokeAll(username);
  }

  /** Would the upstream take this token now? */
  isLive(token: string): boolean {
    return this.tokens.live(token, this.now()) !== undefined;
  }

  /** Goes away: connections are cut, new ones refused, until `resume`. Accounts, tokens and ledger stay. */
  async pause(): Promise<void> {
    this.#waits.cut();
    await this.#server.close();
  }

  /** Comes back on the same port. */
  resume(): Promise<void> {
    return this.#server.open();
  }

  /** Ends the emulator, hanging answers included. A second call does nothing. */
  stop(): Promise<void> {
    return this.pause();
  }

  /** As {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await readWireRequest(incoming);
      const settle = this.#ledger.open(this.#entryOf(request));
      try {
        await this.#respond(request, response, settle);
      } catch (error) {
        if (error instanceof Gone || response.destroyed || response.headersSent) return;
        settle({ status: 500, outcome: 'emulator_error' });
        await this.#write(response, emulatorError(error));
      }
    } catch (error) {
      if (error instanceof RequestTooLarge) response.writeHead(413, { connection: 'close' }).end();
      else response.destroy();
    }
  }

  async #respond(
    request: WireRequest,
    response: ServerResponse,
    settle: (ending: Partial<LedgerEntry>) => void,
  ): Promise<void> {
    const plan = planFaults(this.faults.take(request.path, submittedUsername(request)));
    const early = plan.processFirst ? await this.answer(request) : undefined;
    if (plan.delayMs > 0) await this.#waits.wait(plan.delayMs);
    const replacement = plan.ending && answerOfFault(plan.ending);
    if (plan.ending !== undefined && replacement === undefined) {
      settle({ outcome: `fault:${plan.ending.kind}` });
      if (plan.ending.kind === 'reset') response.socket?.resetAndDestroy();
      return;
    }
    const answer = replacement ?? transformed(early ?? (await this.answer(request)), plan.transforms);
    settle({
      status: answer.status,
      outcome: answer.outcome,
      ...(answer.account !== undefined && { account: answer.account }),
      ...(answer.uuid !== undefined && { uuid: answer.uuid }),
    });
    await this.#write(response, answer, plan.encoding);
  }

  #write(response: ServerResponse, answer: WireAnswer, encoding?: AnswerEncoding): Promise<void> {
    return writeAnswer(response, answer, this.dateHeader ? new Date(this.now()).toUTCString() : undefined, encoding);
  }

  #entryOf(request: WireRequest): LedgerEntry {
    const holdsSecret = (text: string): boolean =>
      this.tokens.find(text) !== undefined || this.accountBook.holdsSecret(text);
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
