import { randomUUID } from 'node:crypto';
import { AccessToken, type Credentials } from '../../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode } from '../../core/errors.js';
import { isNumber, isObject } from '../../core/decoders.js';
import type { Grant, UpstreamAnswer, UpstreamRequest } from '../../core/ports.js';
import { userOf } from './test-user.js';

/** The error codes of failures of an upstream. */
export type UpstreamTrouble = Extract<XPayAuthErrorCode, `upstream_${string}`>;

/** A call that your app made through `XPayHttpService`. */
export interface XPayTestCall {
  /** The HTTP method. */
  readonly method: UpstreamRequest['method'];
  /** The path that was passed to `XPayHttpService`. */
  readonly path: string;
  /** The body after serialization to JSON and back. */
  readonly body: unknown;
  /**
   * The user name of the caller, for a call through `asCaller`. @default absent, for other calls
   */
  readonly caller?: string;
  /**
   * The id that was passed to `forAccount`. @default absent, for other calls
   */
  readonly account?: string;
}

/** The fields of an answer beside its data. */
export interface XPayTestEnvelope {
  /**
   * The `message` of the answer. @default none
   */
  readonly message?: string;
  /**
   * The other fields of the answer, such as `nextPage`. @default `{}`
   */
  readonly meta?: Readonly<Record<string, unknown>>;
}

const DAY_MS = 86_400_000;

/**
 * The upstream of an app that imports `XPayAuthTestingModule`, without sockets. Changes apply from the next request on.
 * `app.get(XPayTestUpstream)` returns the upstream of the unnamed instance, and {@link of} returns the upstream of a named
 * instance.
 */
export class XPayTestUpstream {
  readonly #named = new Map<string, XPayTestUpstream>();
  readonly #refused = new Set<string>();
  readonly #answers = new Map<string, (page: number) => string>();
  readonly #calls: XPayTestCall[] = [];
  /** The callers and accounts by the values of their tokens. The app token is not among them. */
  readonly #holders = new Map<string, Pick<XPayTestCall, 'caller' | 'account'>>();
  #trouble: UpstreamTrouble | undefined;
  /** The number of tokens issued so far, by account. The app account is `undefined`. */
  readonly #tokens = new Map<string | undefined, number>();

  /** @internal */
  constructor(private readonly instance?: string) {}

  /** The app token that `XPayTokenService` returns. It changes only after `refresh` or `invalidate`. */
  get accessToken(): string {
    return this.#tokenOf(undefined);
  }

  /** The calls of your app through `XPayHttpService`, including failed ones, oldest first. */
  get calls(): readonly XPayTestCall[] {
    return this.#calls;
  }

  /** The upstream of a named instance. */
  of(name: string): XPayTestUpstream {
    let upstream = this.#named.get(name);
    if (upstream === undefined) this.#named.set(name, (upstream = new XPayTestUpstream(name)));
    return upstream;
  }

  /**
   * Sets every answer at this path, serialized to JSON: its data, and the `message` and `meta` that `request()` returns. Without
   * `meta`, `pages()` reads the data as the only page. A call of a path without an answer fails and names this method.
   */
  answer(path: string, data: unknown, envelope: XPayTestEnvelope = {}): void {
    const text = JSON.stringify({ ...envelope, data: data ?? null });
    this.#answers.set(path, () => text);
  }

  /**
   * Sets the pages of the list at this path, serialized to JSON. A call gets the page with the number in the field `page` of its
   * body, by default the first one. `meta.nextPage` is whether another page follows, as at xPay.stream.
   */
  answerPages(path: string, pages: readonly (readonly unknown[])[]): void {
    const texts = pages.map((data, at) => JSON.stringify({ data, meta: { nextPage: at + 1 < pages.length } }));
    this.#answers.set(path, (page) => texts[page - 1] ?? JSON.stringify({ data: [], meta: { nextPage: false } }));
  }

  /**
   * Rejects the credentials of this user from now on, with 401, and the tokens of calls as this caller. For the id of an account of
   * `forAccount`: rejects the next login of this account, which then fails with `credentials_rejected`.
   */
  refuse(username: string): void {
    this.#refused.add(username);
  }

  /**
   * Makes all logins and calls fail from now on. Existing tokens and sessions stay valid, as in production.
   */
  fail(code: UpstreamTrouble = 'upstream_unavailable'): void {
    this.#trouble = code;
  }

  /** Ends {@link fail} and {@link refuse}. Prepared answers and recorded calls are kept. */
  recover(): void {
    this.#trouble = undefined;
    this.#refused.clear();
  }

  /** Issues a token for the app's account, or for another account of the app. @internal */
  grantOwnToken(account?: string): Grant {
    this.#assertWell();
    if (account !== undefined && this.#refused.has(account)) {
      throw new XPayAuthError('invalid_credentials', 'refuse() was called for this account');
    }
    this.#tokens.set(account, (this.#tokens.get(account) ?? 0) + 1);
    const accessToken = new AccessToken(this.#tokenOf(account));
    if (account !== undefined) this.#holders.set(accessToken.value, { account });
    return { accessToken, username: account ?? 'this-app', scopes: [], isAPI: true, lifeMs: DAY_MS };
  }

  /** The grant for credentials of `asUser`. @internal */
  grantTo(credentials: Credentials): Grant {
    this.#assertWell();
    const user = userOf(credentials);
    const known = user !== undefined && (user.instance === undefined || user.instance === this.instance);
    if (!known || this.#refused.has(user.username)) {
      throw new XPayAuthError(
        'invalid_credentials',
        'These credentials are not from asUser(), or refuse() was called for their user',
      );
    }
    const { username, scopes = [], isAPI = false, expiresAt } = user;
    const accessToken = new AccessToken(randomUUID(), { expiresAt, scopes });
    this.#holders.set(accessToken.value, { caller: username });
    return { accessToken, username, scopes, isAPI };
  }

  /** Answers one API call. @internal */
  send({ method, path, headers = {}, body }: UpstreamRequest): UpstreamAnswer {
    const sent: unknown = body === undefined ? undefined : JSON.parse(body);
    const holder = this.#holders.get(headers['authorization'] ?? '');
    this.#calls.push({ method, path, body: sent, ...holder });
    this.#assertWell();
    const answered = { receivedAt: 0, upstreamNow: undefined, header: () => undefined };
    if (holder?.caller !== undefined && this.#refused.has(holder.caller)) return { status: 401, text: '', ...answered };
    const answer = this.#answers.get(path);
    if (answer === undefined) {
      const how = `app.get(XPayTestUpstream)${this.instance === undefined ? '' : `.of('${this.instance}')`}`;
      const message = `No answer is prepared for ${path}. Prepare one with ${how}.answer('${path}', data)`;
      throw new XPayAuthError('upstream_business_error', message);
    }
    const page = isObject(sent) && isNumber(sent['page']) ? sent['page'] : 1;
    return { status: 200, text: answer(page), ...answered };
  }

  #tokenOf(account: string | undefined): string {
    const count = this.#tokens.get(account) ?? 0;
    const parts = [this.instance, account && `account-${encodeURIComponent(account)}`].filter(
      (part) => part !== undefined,
    );
    const which = parts.map((part) => `-of-${part}`).join('');
    return `test-access-token${which}${count > 1 ? `-${count}` : ''}`;
  }

  #assertWell(): void {
    if (this.#trouble !== undefined) throw new XPayAuthError(this.#trouble, 'XPayTestUpstream.fail() said so');
  }
}
