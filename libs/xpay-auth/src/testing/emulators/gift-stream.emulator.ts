import {
  type EmulatedAccount,
  Emulator,
  type EmulatorOptions,
  type EmulatorSettings,
  startEmulator,
} from './emulator.js';
import { type GiftStreamReply, GiftStreamShop, type GiftStreamTransaction, segmentOf } from './gift-stream-shop.js';
import { type Outcome, type WireAnswer, type WireRequest, bearerOf, formOf } from './wire-message.js';

/** An account of the emulated gift-stream; `username` goes over the wire as `email`, `secretKey` as `password`. */
export interface GiftStreamAccount extends EmulatedAccount {
  /** `clientId` in its tokens. @default '2' */
  readonly clientId?: string;
}

/**
 * The behaviour of `/refresh`, which the vendor does not document. `rotate`: the new access token holds a new refresh token,
 * the old one is revoked. `keep`: it holds the same refresh token. `omit`: it holds none, and the old refresh token stays
 * valid.
 */
export type RefreshMode = 'rotate' | 'keep' | 'omit';

/** Options of the emulated gift-stream. */
export interface GiftStreamEmulatorOptions
  extends EmulatorOptions<GiftStreamAccount>, EmulatorSettings<GiftStreamEmulator> {}

/** Three days, as in every sample of the vendor. */
const DEFAULT_LIFE_MS = 259_200_000;
const HEADER = { typ: 'JWT', alg: 'HS512' } as const;

/** An emulated gift-stream (https://developers.gift-stream.com). It rejects with 400, never with 401. */
export class GiftStreamEmulator extends Emulator<GiftStreamAccount> {
  override equalTokensWithinASecond = true;
  /** The behaviour of `/refresh`. @default 'rotate' */
  refreshMode: RefreshMode = 'rotate';
  /** HTTP status of a failed login; the vendor does not document it. @default 400 */
  loginFailureStatus = 400;
  /** `message` of a failed login. @default 'Invalid Credentials' */
  loginFailureMessage = 'Invalid Credentials';
  /** Whether `GET /giftcard/:id` reads the header `Authorisation` only. @default false: either spelling */
  requireAuthorisation = false;
  /** Whether a refresh token is accepted as an access token, as in the vendor's transaction sample. @default false */
  acceptRefreshAsBearer = false;
  /** Whether errors have `timestamp`. @default true */
  errorTimestamps = true;

  readonly #shop = new GiftStreamShop();
  #tokenId = 0;

  /** All successful transactions, oldest first. */
  get transactions(): readonly GiftStreamTransaction[] {
    return this.#shop.transactions;
  }

  protected answer(request: WireRequest): WireAnswer {
    const [, resource = '', id = ''] = request.path.split('/');
    if (request.path === '/authenticate') return this.#authenticate(request);
    if (request.path === '/refresh') return this.#refresh(request);
    const route = `${request.method} /${resource}`;
    if (!['GET /giftcard', 'POST /giftcard', 'POST /transaction', 'GET /sites'].includes(route))
      return this.#reply(404, 'Not Found', 'not_found');

    const holder = this.#holder(request, 'access', route === 'GET /giftcard');
    if (typeof holder !== 'string') return this.#reply(400, holder.refused, 'bad_bearer');
    const reply: GiftStreamReply = (status, message, more) =>
      this.#reply(status, message, status === 200 ? 'ok' : 'bad_request', holder, more);
    if (route === 'GET /giftcard') return this.#shop.findCard(reply, segmentOf(id));
    if (route === 'POST /giftcard') return this.#shop.createCard(reply, formOf(request));
    if (route === 'GET /sites') return this.#shop.findSites(reply, id);
    return this.#shop.transact(reply, holder, formOf(request), this.now());
  }

  #authenticate(request: WireRequest): WireAnswer {
    if (request.method !== 'POST') return this.#reply(400, 'Invalid Method', 'method_not_allowed');
    const { email = '', password = '' } = formOf(request);
    if (email === '') return this.#reply(400, 'Missing Email', 'bad_request');
    const known = this.account(email)?.username;
    if (password === '') return this.#reply(400, 'Missing Password', 'bad_request', known);
    const account = this.logIn(email, password);
    if (account === undefined) return this.#reply(this.loginFailureStatus, this.loginFailureMessage, 'refused', known);
    return this.#grant(account, this.#newRefreshToken(account));
  }

  #refresh(request: WireRequest): WireAnswer {
    if (request.method !== 'POST') return this.#reply(400, 'Invalid Method', 'method_not_allowed');
    const username = this.#holder(request, 'refresh', false);
    if (typeof username !== 'string') return this.#reply(400, username.refused, 'bad_bearer');
    const account = this.account(username);
    const used = bearerOf(request);
    if (account === undefined || used === undefined) return this.#reply(400, 'Invalid Token', 'bad_bearer');
    if (this.refreshMode === 'omit') return this.#grant(account, undefined);
    if (this.refreshMode === 'keep') return this.#grant(account, used);
    this.tokens.revoke(used);
    return this.#grant(account, this.#newRefreshToken(account));
  }

  #newRefreshToken(account: GiftStreamAccount): string {
    return this.#issue(account, 'refresh', { 'token-type': 'REFRESH' });
  }

  #grant(account: GiftStreamAccount, refreshToken: string | undefined): WireAnswer {
    const exp = this.#seconds() + Math.ceil((this.tokenLifeMs ?? DEFAULT_LIFE_MS) / 1000);
    const accessToken = this.#issue(account, 'access', { 'refresh-token': refreshToken }, exp);
    return this.#reply(200, 'OK', 'granted', account.username, { accessToken, 'token-id': ++this.#tokenId });
  }

  /**
   * Issues a JWT with the vendor's claims in the vendor's order. `exp` is in whole seconds; without it the token never expires.
   *
   * Source: https://developers.gift-stream.com/operation/operation-authenticate
   */
  #issue(account: GiftStreamAccount, kind: 'access' | 'refresh', more: object, exp?: number): string {
    const { username, clientId = '2' } = account;
    const iat = this.#seconds();
    const times = { iat, iss: 'api.giftcard.appdeliverance.com', nbf: iat, exp };
    const expiresAt = exp === undefined ? Infinity : exp * 1000;
    return this.issueToken({ username, kind, expiresAt }, HEADER, { ...times, userName: username, clientId, ...more });
  }

  /** The user name behind the request's bearer token, or the vendor's message for a bad one. */
  #holder(request: WireRequest, kind: 'access' | 'refresh', eitherSpelling: boolean): string | { refused: string } {
    const british = eitherSpelling ? bearerOf(request, 'authorisation') : undefined;
    const token = british ?? (eitherSpelling && this.requireAuthorisation ? undefined : bearerOf(request));
    if (token === undefined) return { refused: 'Missing Token' };
    const record = this.tokens.find(token);
    const fits = record?.kind === kind || (kind === 'access' && this.acceptRefreshAsBearer);
    if (record === undefined || !fits) return { refused: 'Invalid Token' };
    return this.now() < record.expiresAt ? record.username : { refused: 'Expired Token' };
  }

  #reply(status: number, message: string, outcome: Outcome, account?: string, more: object = {}): WireAnswer {
    const hasTimestamp = this.errorTimestamps || outcome === 'ok' || outcome === 'granted';
    const value = { message, ...(hasTimestamp && { timestamp: this.#seconds() }), ...more };
    return { status, payload: { kind: 'json', value }, outcome, account };
  }

  #seconds(): number {
    return Math.floor(this.now() / 1000);
  }
}

/** Starts an emulated gift-stream on 127.0.0.1. */
export function startGiftStreamEmulator(options: GiftStreamEmulatorOptions = {}): Promise<GiftStreamEmulator> {
  return startEmulator(GiftStreamEmulator, options);
}
