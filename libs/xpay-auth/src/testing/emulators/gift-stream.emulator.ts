import type { EmulatedAccount } from './account-book.js';
import { Emulator, type EmulatorOptions } from './emulator.js';
import { type GiftStreamReply, GiftStreamShop, type GiftStreamTransaction, formOf, segmentOf } from './gift-stream-shop.js';
import { GiftStreamMint } from './gift-stream-tokens.js';
import { type Outcome, type WireAnswer, type WireRequest, bearerOf } from './wire-message.js';

/** An account of the emulated gift-stream; `username` goes over the wire as `email`, `secretKey` as `password`. */
export interface GiftStreamAccount extends EmulatedAccount {
  /** The client that its tokens name. @default '2' */
  readonly clientId?: string;
}

/**
 * What `/refresh` does, as the vendor does not say. `rotate`: a new refresh token inside the new access token, the old
 * one is dead. `keep`: the same one again. `omit`: none inside, and the old one stays good.
 */
export type RefreshMode = 'rotate' | 'keep' | 'omit';

const MODES = [
  'refreshMode',
  'loginFailureStatus',
  'loginFailureMessage',
  'requireAuthorisation',
  'acceptRefreshAsBearer',
  'errorTimestamps',
] as const satisfies readonly (keyof GiftStreamEmulator)[];

/** What an emulated gift-stream can be told at its start. */
export interface GiftStreamEmulatorOptions
  extends EmulatorOptions<GiftStreamAccount>, Readonly<Partial<Pick<GiftStreamEmulator, (typeof MODES)[number]>>> {}

interface Refusal {
  readonly refused: string;
}

/** gift-stream's stand-in (https://developers.gift-stream.com). Its refusals are 400, never 401. */
export class GiftStreamEmulator extends Emulator<GiftStreamAccount> {
  /** What `/refresh` does. @default 'rotate' */
  refreshMode: RefreshMode = 'rotate';
  /** HTTP status of a failed login, which the vendor does not document. @default 400 */
  loginFailureStatus = 400;
  /** `message` of a failed login. @default 'Invalid Credentials' */
  loginFailureMessage = 'Invalid Credentials';
  /** Does `GET /giftcard/:id` take the header in the spelling `Authorisation` alone? @default false: either spelling */
  requireAuthorisation = false;
  /** Does a refresh token pass for an access token, as in the vendor's transaction sample? @default false */
  acceptRefreshAsBearer = false;
  /** Do errors carry `timestamp`? @default true */
  errorTimestamps = true;

  readonly #shop = new GiftStreamShop();
  readonly #mint = new GiftStreamMint();
  #tokenId = 0;

  constructor(options: GiftStreamEmulatorOptions = {}) {
    super(options, true);
    for (const mode of MODES) if (options[mode] !== undefined) Object.assign(this, { [mode]: options[mode] });
  }

  /** Every transaction that went through, oldest first. */
  get transactions(): readonly GiftStreamTransaction[] {
    return this.#shop.transactions;
  }

  protected answer(request: WireRequest): WireAnswer {
    const [, room = '', id = ''] = request.path.split('/');
    if (request.path === '/authenticate') return this.#authenticate(request);
    if (request.path === '/refresh') return this.#refresh(request);
    const route = `${request.method} /${room}`;
    if (!['GET /giftcard', 'POST /giftcard', 'POST /transaction', 'GET /sites'].includes(route))
      return this.#error(404, 'Not Found', 'not_found');

    const holder = this.#holder(request, 'access', route === 'GET /giftcard');
    if (typeof holder !== 'string') return this.#error(400, holder.refused, 'bad_bearer');
    const reply: GiftStreamReply = (status, message, more) =>
      status === 200
        ? this.#ok({ message, ...more }, 'ok', holder)
        : this.#error(status, message, 'bad_request', holder);
    if (route === 'GET /giftcard') return this.#shop.findCard(reply, segmentOf(id));
    if (route === 'POST /giftcard') return this.#shop.createCard(reply, formOf(request));
    if (route === 'GET /sites') return this.#shop.findSites(reply, id);
    return this.#shop.transact(reply, holder, formOf(request), this.now());
  }

  #authenticate(request: WireRequest): WireAnswer {
    if (request.method !== 'POST') return this.#error(400, 'Invalid Method', 'method_not_allowed');
    const form = formOf(request);
    const [email, password] = [form.get('email') ?? '', form.get('password') ?? ''];
    if (email === '') return this.#error(400, 'Missing Email', 'bad_request');
    const known = this.accountBook.find(email)?.username;
    if (password === '') return this.#error(400, 'Missing Password', 'bad_request', known);
    const account = this.accountBook.check(email, password);
    if (account === undefined) return this.#error(this.loginFailureStatus, this.loginFailureMessage, 'refused', known);
    if (this.oneTokenPerAccount) this.tokens.revokeAll(account.username);
    return this.#grant(account, this.#newRefreshToken(account));
  }

  #refresh(request: WireRequest): WireAnswer {
    if (request.method !== 'POST') return this.#error(400, 'Invalid Method', 'method_not_allowed');
    const username = this.#holder(request, 'refresh', false);
    if (typeof username !== 'string') return this.#error(400, username.refused, 'bad_bearer');
    const account = this.accountBook.find(username);
    const used = bearerOf(request);
    if (account === undefined || used === undefined) return this.#error(400, 'Invalid Token', 'bad_bearer');
    if (this.refreshMode === 'omit') return this.#grant(account, undefined);
    if (this.refreshMode === 'keep') return this.#grant(account, used);
    this.tokens.revoke(used);
    return this.#grant(account, this.#newRefreshToken(account));
  }

  #newRefreshToken({ username, clientId = '2' }: GiftStreamAccount): string {
    const token = this.#mint.refreshToken({ username, clientId }, this.now(), !this.equalTokensWithinASecond);
    this.tokens.put(token, { username, kind: 'refresh', expiresAt: Infinity });
    return token;
  }

  #grant({ username, clientId = '2' }: GiftStreamAccount, refreshToken: string | undefined): WireAnswer {
    const distinct = !this.equalTokensWithinASecond;
    const holder = { username, clientId };
    const { token, expiresAt } = this.#mint.accessToken(holder, this.now(), this.tokenLifeMs, refreshToken, distinct);
    this.tokens.put(token, { username, kind: 'access', expiresAt });
    return this.#ok({ message: 'OK', accessToken: token, 'token-id': ++this.#tokenId }, 'granted', username);
  }

  /** The user name behind the request's bearer, or the vendor's word for what is wrong with it. */
  #holder(request: WireRequest, kind: 'access' | 'refresh', eitherSpelling: boolean): string | Refusal {
    const british = eitherSpelling ? bearerOf(request, 'authorisation') : undefined;
    const token = british ?? (eitherSpelling && this.requireAuthorisation ? undefined : bearerOf(request));
    if (token === undefined) return { refused: 'Missing Token' };
    const record = this.tokens.find(token);
    const fits = record?.kind === kind || (kind === 'access' && this.acceptRefreshAsBearer);
    if (record === undefined || !fits) return { refused: 'Invalid Token' };
    return this.now() < record.expiresAt ? record.username : { refused: 'Expired Token' };
  }

  #ok(fields: Readonly<Record<string, unknown>>, outcome: Outcome, account: string): WireAnswer {
    const { message, ...rest } = fields;
    return {
      status: 200,
      payload: { kind: 'json', value: { message, timestamp: this.#seconds(), ...rest } },
      outcome,
      account,
    };
  }

  #error(status: number, message: string, outcome: Outcome, account?: string): WireAnswer {
    const value = { message, ...(this.errorTimestamps && { timestamp: this.#seconds() }) };
    return { status, payload: { kind: 'json', value }, outcome, ...(account !== undefined && { account }) };
  }

  #seconds(): number {
    return Math.floor(this.now() / 1000);
  }
}

/** Starts an emulated gift-stream on 127.0.0.1. */
export async function startGiftStreamEmulator(options?: GiftStreamEmulatorOptions): Promise<GiftStreamEmulator> {
  const emulator = new GiftStreamEmulator(options);
  await emulator.resume();
  return emulator;
}
