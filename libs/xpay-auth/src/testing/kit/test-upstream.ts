import { randomUUID } from 'node:crypto';
import { AccessToken, type Credentials } from '../../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode } from '../../core/errors.js';
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
}

const DAY_MS = 86_400_000;

/**
 * The upstream of an app that imports `XPayAuthTestingModule`, without sockets. Changes apply from the next request on.
 * `app.get(XPayTestUpstream)` belongs to the unnamed instance, {@link of} returns that of a named one.
 */
export class XPayTestUpstream {
  readonly #named = new Map<string, XPayTestUpstream>();
  readonly #refused = new Set<string>();
  readonly #answers = new Map<string, string>();
  readonly #calls: XPayTestCall[] = [];
  #trouble: UpstreamTrouble | undefined;
  #tokens = 0;

  /** @internal */
  constructor(private readonly instance?: string) {}

  /** The app's token, as `XPayTokenService` returns it. Changes only after `refresh` or `invalidate`. */
  get accessToken(): string {
    const which = this.instance === undefined ? '' : `-of-${this.instance}`;
    return `test-access-token${which}${this.#tokens > 1 ? `-${this.#tokens}` : ''}`;
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
   * Sets the data of every answer at this path, serialized to JSON. A call of a path without data fails and names this
   * method.
   */
  answer(path: string, data: unknown): void {
    this.#answers.set(path, JSON.stringify(data ?? null));
  }

  /** Rejects the credentials of this user from now on, with 401. */
  refuse(username: string): void {
    this.#refused.add(username);
  }

  /**
   * Makes all logins and calls fail from now on. Existing tokens and sessions stay valid, as in production.
   */
  fail(code: UpstreamTrouble = 'upstream_unavailable'): void {
    this.#trouble = code;
  }

  /** Ends {@link fail} and {@link refuse}. Answers and calls stay. */
  recover(): void {
    this.#trouble = undefined;
    this.#refused.clear();
  }

  /** Issues a token for the app's account. @internal */
  grantOwnToken(): Grant {
    this.#assertWell();
    this.#tokens++;
    const accessToken = new AccessToken(this.accessToken);
    return { accessToken, username: 'this-app', scopes: [], isAPI: true, lifeMs: DAY_MS };
  }

  /** The grant for credentials of `asUser`. @internal */
  grantTo(credentials: Credentials): Grant {
    this.#assertWell();
    const user = userOf(credentials);
    const known = user !== undefined && (user.instance === undefined || user.instance === this.instance);
    if (!known || this.#refused.has(user.username)) {
      throw new XPayAuthError('invalid_credentials', 'asUser() did not make these credentials, or refuse() ended them');
    }
    const { username, scopes = [], isAPI = false, expiresAt } = user;
    return { accessToken: new AccessToken(randomUUID(), { expiresAt, scopes }), username, scopes, isAPI };
  }

  /** Answers one API call. @internal */
  send({ method, path, body }: UpstreamRequest): UpstreamAnswer {
    this.#calls.push({ method, path, body: body === undefined ? undefined : (JSON.parse(body) as unknown) });
    this.#assertWell();
    const text = this.#answers.get(path);
    if (text === undefined) {
      const how = `app.get(XPayTestUpstream)${this.instance === undefined ? '' : `.of('${this.instance}')`}`;
      const message = `No answer is prepared for ${path}. Prepare one with ${how}.answer('${path}', data)`;
      throw new XPayAuthError('upstream_business_error', message);
    }
    return { status: 200, text, receivedAt: 0, upstreamNow: undefined, header: () => undefined };
  }

  #assertWell(): void {
    if (this.#trouble !== undefined) throw new XPayAuthError(this.#trouble, 'XPayTestUpstream.fail() said so');
  }
}
