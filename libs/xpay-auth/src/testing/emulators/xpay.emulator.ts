import { randomBytes, randomUUID } from 'node:crypto';
import {
  type EmulatedAccount,
  Emulator,
  type EmulatorOptions,
  type EmulatorSettings,
  startEmulator,
} from './emulator.js';
import { Script, type ScriptScope } from './script.js';
import { type WireAnswer, type WireRequest, bearerOf, isRecord, jsonOf, submittedUsername } from './wire-message.js';
import { XPayBusiness, type XPayPayment } from './xpay-business.js';
import { type NextPagePlacement, type UuidPlacement, type XPayCall, xpayError, xpaySuccess } from './xpay-envelope.js';

/** An account of the emulated xPay.stream. */
export interface XPayAccount extends EmulatedAccount {
  /** Any strings; may be empty. @default ['tme_user'] */
  readonly scopes?: readonly string[];
  /** `user.username` of the answer, where it differs from the login name. @default the username */
  readonly displayName?: string;
}

/**
 * The answer to a missing, unknown, expired or revoked bearer token. The vendor documents none, so a client has to handle all
 * three: 200 with `error`, 401 with the same envelope, 401 without a body.
 */
export type BadBearerAnswer = '200-error' | '401-json' | '401-empty';

/** Options of the emulated xPay.stream. */
export interface XPayEmulatorOptions extends EmulatorOptions<XPayAccount>, EmulatorSettings<XPayEmulator> {
  /** Number of wallets that each account owns at the start. @default 3 */
  readonly walletsPerAccount?: number;
}

/** A token that was issued without a login. */
export interface MintedToken {
  /** The token itself. */
  token: string;
  /** Ms since the epoch on the upstream's clock. */
  expiresAt: number;
}

const HEADER = { alg: 'HS256', typ: 'JWT' } as const;
const DAY_MS = 86_400_000;
const API_LOGIN_LIFE_MS = 1000 * DAY_MS;
const INTERACTIVE_LOGIN_LIFE_MS = 365 * DAY_MS;

/** An emulated xPay.stream (https://docs.xpay.stream/authentication-api). Start it with `startXPayEmulator`. */
export class XPayEmulator extends Emulator<XPayAccount> {
  /** Where successes have their `uuid`. The vendor's samples have both places. @default 'top' */
  uuidPlacement: UuidPlacement = 'top';
  /** The answer to a bad bearer token. @default '200-error' */
  badBearerAnswer: BadBearerAnswer = '200-error';
  /**
   * Whether a field without a value is `null` rather than absent: `error` beside `success`, `success` beside `error`, and
   * `scopes` of an account that has none. @default false
   */
  nullFields = false;
  /**
   * The place of `nextPage` in the answer of a `…/find`: 'success', 'data' (beside the list `items`) or 'none'. The vendor describes
   * the flag, but shows it in no sample. @default 'success'
   */
  nextPagePlacement: NextPagePlacement = 'success';
  /**
   * Whether the answer of a `…/find` also has `page`, `total` (items of all pages) and `count` (items of this page), beside
   * `nextPage`. The vendor describes the three, but not their names; these names are the emulator's own. @default false
   */
  pageTotals = false;
  /**
   * Whether the reference of a bill is taken for all accounts, rather than for the account of the bill. The vendor calls it unique
   * and not reusable. @default false
   */
  sharedBillReferences = false;
  /**
   * Whether canceling a bill that is unknown, closed or canceled succeeds without an effect, rather than with an `error`. The
   * vendor documents only the canceling of an active bill. @default false
   */
  cancelsInactiveBills = false;
  /**
   * Whether a bill is closed once its time `until` has come. The vendor documents that a bill expires, but not how an expired bill
   * shows it. @default false
   */
  closesExpiredBills = false;
  /** The `error` in the answer to a bad bearer token, under '200-error' and '401-json'. */
  badBearerError: {
    /** `error.message`. */
    message: string;
    /** `error.data`. */
    data: unknown;
  } = { message: 'invalid token', data: { invalid: true } };

  readonly #business: XPayBusiness;
  readonly #businessErrors = new Script<{ readonly message: string; readonly data: unknown }>();

  /** Use `startXPayEmulator`. */
  constructor(options: XPayEmulatorOptions) {
    super(options);
    this.#business = new XPayBusiness(options.walletsPerAccount ?? 3);
  }

  /** All transfers that were broadcast, oldest first. */
  get payments(): readonly XPayPayment[] {
    return this.#business.payments;
  }

  /**
   * Pays a bill. A bill that is paid in full is closed.
   *
   * @param username the account of the bill
   * @param amount in 10⁻⁶ USD. @default the unpaid rest
   */
  payBill(username: string, reference: string, amount?: number): void {
    if (this.#business.bills.pay(username, reference, amount, this.now())) return;
    throw new Error(`the emulator has no bill ${reference} of ${username}`);
  }

  /**
   * Answers the next matching request (or `times` of them) with status 200 and an `error` that is not about credentials, such
   * as 'maintenance' or 'insufficient token balance', and does nothing else. A bad bearer token takes precedence.
   */
  businessError(message: string, data: unknown = null, options: ScriptScope & { readonly times?: number } = {}): void {
    this.#businessErrors.next({ message, data }, options);
  }

  /** Issues a token as a login would, without the request. @default as an API login */
  mintToken(username: string, isAPI = true): MintedToken {
    const now = this.now();
    const expiresAt = Math.trunc(now + (this.tokenLifeMs ?? (isAPI ? API_LOGIN_LIFE_MS : INTERACTIVE_LOGIN_LIFE_MS)));
    if (this.oneTokenPerAccount) this.tokens.revokeAll(username);
    const claims = { username, isAPI, iat: Math.floor(now / 1000) };
    const token = this.issueToken({ username, kind: 'access', expiresAt }, HEADER, claims);
    return { token, expiresAt };
  }

  protected answer(request: WireRequest): WireAnswer {
    const sent = request.headers['uuid'];
    const call = {
      uuid: typeof sent === 'string' && sent !== '' ? sent : randomUUID(),
      settings: this,
    };
    const authenticates = request.path === '/client/authenticate';
    const route = this.#business.routes.get(request.path);
    if (!authenticates && route === undefined) return xpayError(call, 'not found', null, 'not_found', 404);
    if (request.method !== 'POST')
      return { ...xpayError(call, 'method not allowed', null, 'method_not_allowed', 405), headers: { allow: 'POST' } };
    const body = bodyOf(request);
    if (body === undefined) return xpayError(call, 'malformed JSON', null, 'bad_request', 400);
    if (route === undefined) return this.#scripted(call, request) ?? this.#authenticate(call, body);

    const holder = this.tokens.live(bearerOf(request), this.now());
    if (holder === undefined) return this.#badBearer(call);
    const known = { ...call, account: holder.username };
    return this.#scripted(known, request) ?? route(known, body, this.now());
  }

  #scripted(call: XPayCall, request: WireRequest): WireAnswer | undefined {
    const [error] = this.#businessErrors.take(request.path, submittedUsername(request));
    return error && xpayError(call, error.message, error.data);
  }

  #authenticate(call: XPayCall, body: Readonly<Record<string, unknown>>): WireAnswer {
    const missing = ['username', 'secretKey'].filter((field) => typeof body[field] !== 'string' || body[field] === '');
    if (missing.length > 0) return xpayError(call, 'missing fields', { missing }, 'bad_request');
    const known = { ...call, account: this.account(body['username'])?.username };
    const account = this.logIn(body['username'], body['secretKey']);
    if (account === undefined) return xpayError(known, 'invalid credentials', { invalid: true }, 'refused');

    const isAPI = body['isAPI'] === true || body['isAPI'] === 'true';
    const { token, expiresAt } = this.mintToken(account.username, isAPI);
    const scopes = [...(account.scopes ?? ['tme_user'])];
    const user = {
      username: account.displayName ?? account.username,
      scopes: this.nullFields && scopes.length === 0 ? null : scopes,
      isAPI,
    };
    const ticket = randomBytes(16).toString('hex');
    const data = { success: true, expiresAt, user, ticket, access_token: token };
    return xpaySuccess(known, 'Authenticated', data, 'granted');
  }

  #badBearer(call: XPayCall): WireAnswer {
    if (this.badBearerAnswer === '401-empty') return { status: 401, outcome: 'bad_bearer', uuid: call.uuid };
    const { message, data } = this.badBearerError;
    return xpayError(call, message, data, 'bad_bearer', this.badBearerAnswer === '401-json' ? 401 : 200);
  }
}

/** The JSON object in the body. `{}` without a body or for another media type, as from a body parser; otherwise `undefined`. */
function bodyOf(request: WireRequest): Record<string, unknown> | undefined {
  if (request.mediaType !== 'application/json' || request.body.length === 0) return {};
  const value = jsonOf(request);
  return isRecord(value) ? value : undefined;
}

/**
 * Starts an emulated xPay.stream on 127.0.0.1.
 *
 * ```ts
 * const xpay = await startXPayEmulator({ accounts: [{ username: 'ada@example.test', secretKey: 'k-1' }] });
 * xpay.faults.next({ kind: 'html502' });
 * await xpay.stop(); // or `await using` above, where the language has it
 * ```
 */
export function startXPayEmulator(options: XPayEmulatorOptions = {}): Promise<XPayEmulator> {
  return startEmulator(XPayEmulator, options);
}
