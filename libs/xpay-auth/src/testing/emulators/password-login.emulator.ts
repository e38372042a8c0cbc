import { randomBytes, randomInt } from 'node:crypto';
import {
  type EmulatedAccount,
  Emulator,
  type EmulatorOptions,
  type EmulatorSettings,
  startEmulator,
} from './emulator.js';
import * as fastApi from './fastapi.js';
import { type WireAnswer, type WireRequest, bearerOf } from './wire-message.js';

/** An account of the emulated `/auth/login`. */
export interface PasswordLoginAccount extends EmulatedAccount {
  /** `scope` of the answer, space separated. @default absent */
  readonly scope?: string;
}

/** The answer to a wrong password: as in FastAPI's tutorial, RFC 6749 §5.2 or fastapi-users, or another status. */
export type LoginFailure = '401' | 'invalid_grant' | 'LOGIN_BAD_CREDENTIALS' | '403' | '404';

/** Options of the emulated `/auth/login`. */
export interface PasswordLoginEmulatorOptions
  extends EmulatorOptions<PasswordLoginAccount>, EmulatorSettings<PasswordLoginEmulator> {}

const HEADER = { alg: 'HS256', typ: 'JWT' } as const;
/** Half an hour, as in FastAPI's tutorial. */
const DEFAULT_LIFE_MS = 1_800_000;
const CHALLENGE = { 'www-authenticate': 'Bearer' };
const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' };
const DETAILS = {
  '401': [401, 'Incorrect username or password'],
  LOGIN_BAD_CREDENTIALS: [400, 'LOGIN_BAD_CREDENTIALS'],
  '403': [403, 'Invalid credentials'],
  '404': [404, 'User not found'],
} as const satisfies Record<Exclude<LoginFailure, 'invalid_grant'>, readonly [status: number, detail: string]>;

/**
 * An emulated password login that answers as FastAPI does.
 *
 * Source: https://fastapi.tiangolo.com/tutorial/security/simple-oauth2/
 */
export class PasswordLoginEmulator extends Emulator<PasswordLoginAccount> {
  /** Path of the login. @default '/auth/login' */
  loginPath = '/auth/login';
  /** Path of the refresh. Exists only with `refreshTokens`. @default '/auth/refresh' */
  refreshPath = '/auth/refresh';
  /** How the login reads its body. @default 'form' */
  loginBody: fastApi.LoginBody = 'form';
  /** The answer to a wrong password. @default '401' */
  failure: LoginFailure = '401';
  /** Whether `grant_type=password` is required. A wrong one is rejected in either case. @default false */
  strictGrantType = false;
  /** `expires_in` of the answer, in seconds: absent, a number, or a number as text. @default 'absent' */
  expiresIn: 'absent' | 'number' | 'text' = 'absent';
  /** Whether the JWT has `exp`. @default false */
  jwtExpiry = false;
  /** `token_type` of the answer. @default 'bearer' */
  tokenType = 'bearer';
  /** Whether a login returns a `refresh_token`. @default false */
  refreshTokens = false;
  /** Whether a refresh replaces the refresh token and revokes the old one. @default true */
  rotateRefreshTokens = true;
  /** Status of a protected route without a valid bearer token; FastAPI before 0.122 returned 403. @default 401 */
  badBearerStatus: 401 | 403 = 401;

  readonly #userIds = new Map<string, number>();

  protected answer(request: WireRequest): WireAnswer | Promise<WireAnswer> {
    const routes: [string, string, () => WireAnswer | Promise<WireAnswer>][] = [
      ['POST', this.loginPath, () => this.#login(request)],
      ['GET', '/users/me', () => this.#me(request)],
    ];
    if (this.refreshTokens) routes.push(['POST', this.refreshPath, () => this.#refresh(request)]);
    for (const [method, path, serve] of routes) {
      if (request.path === `${path}/`)
        return { status: 307, headers: { location: `${this.url}${path}` }, outcome: 'redirected' };
      if (request.path !== path) continue;
      if (request.method === method) return serve();
      return fastApi.error(405, 'Method Not Allowed', 'method_not_allowed', { headers: { allow: method } });
    }
    return fastApi.error(404, 'Not Found', 'not_found');
  }

  async #login(request: WireRequest): Promise<WireAnswer> {
    const login = await fastApi.readLogin(request, this.loginBody, this.strictGrantType);
    if ('errors' in login) return fastApi.unprocessable(login.errors);
    const account = this.logIn(login.username, login.password);
    if (account === undefined) return this.#refused(this.account(login.username)?.username);
    return this.#granted(account, this.refreshTokens ? this.#newRefreshToken(account.username) : undefined);
  }

  /** RFC 6749 §6: `grant_type=refresh_token` and the token, both in the form. */
  async #refresh(request: WireRequest): Promise<WireAnswer> {
    const { grant_type: grantType = '', refresh_token: used = '' } = await fastApi.formFields(request);
    const missing = [...(grantType === '' ? ['grant_type'] : []), ...(used === '' ? ['refresh_token'] : [])];
    if (missing.length > 0)
      return fastApi.unprocessable(missing.map((field) => fastApi.fieldError('missing', null, field)));
    if (grantType !== 'refresh_token')
      return fastApi.unprocessable([fastApi.wrongGrantType(grantType, '^refresh_token$')]);
    const record = this.tokens.live(used, this.now());
    const account = record?.kind === 'refresh' ? this.account(record.username) : undefined;
    if (account === undefined) return invalidGrant();
    if (!this.rotateRefreshTokens) return this.#granted(account, undefined);
    this.tokens.revoke(used);
    return this.#granted(account, this.#newRefreshToken(account.username));
  }

  #me(request: WireRequest): WireAnswer {
    const status = this.badBearerStatus;
    const more = status === 401 ? { headers: CHALLENGE } : {};
    const token = bearerOf(request);
    if (token === undefined) return fastApi.error(status, 'Not authenticated', 'bad_bearer', more);
    const record = this.tokens.live(token, this.now());
    if (record?.kind !== 'access') return fastApi.error(status, 'Could not validate credentials', 'bad_bearer', more);
    const { username } = record;
    return fastApi.json(200, { username, user_id: this.#userId(username) }, 'ok', { account: username });
  }

  #refused(account?: string): WireAnswer {
    if (this.failure === 'invalid_grant') return invalidGrant(account);
    const [status, detail] = DETAILS[this.failure];
    return fastApi.error(status, detail, 'refused', { account, headers: status === 401 ? CHALLENGE : undefined });
  }

  #granted({ username, scope }: PasswordLoginAccount, refreshToken: string | undefined): WireAnswer {
    const lifeMs = this.tokenLifeMs ?? DEFAULT_LIFE_MS;
    const now = this.now();
    const iat = Math.floor(now / 1000);
    const seconds = Math.ceil(lifeMs / 1000);
    const claims = { user_id: this.#userId(username), iat, exp: this.jwtExpiry ? iat + seconds : undefined };
    const token = this.issueToken({ username, kind: 'access', expiresAt: now + lifeMs }, HEADER, claims);
    const reply = {
      access_token: token,
      token_type: this.tokenType,
      ...(this.expiresIn !== 'absent' && { expires_in: this.expiresIn === 'number' ? seconds : String(seconds) }),
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
      ...(scope !== undefined && { scope }),
    };
    return fastApi.json(200, reply, 'granted', { headers: NO_STORE, account: username });
  }

  #newRefreshToken(username: string): string {
    const token = randomBytes(32).toString('base64url');
    this.tokens.put(token, { username, kind: 'refresh', expiresAt: Infinity });
    return token;
  }

  #userId(username: string): number {
    const id = this.#userIds.get(username) ?? randomInt(1, 2 ** 31);
    this.#userIds.set(username, id);
    return id;
  }
}

/** RFC 6749 §5.2. */
function invalidGrant(account?: string): WireAnswer {
  return fastApi.json(400, { error: 'invalid_grant' }, 'refused', { account, headers: NO_STORE });
}

/** Starts an emulated `POST /auth/login` on 127.0.0.1. */
export function startPasswordLoginEmulator(options: PasswordLoginEmulatorOptions = {}): Promise<PasswordLoginEmulator> {
  return startEmulator(PasswordLoginEmulator, options);
}
