import { type AccessToken, sharedScopes } from './credentials.js';
import { type UpstreamReference, type XPayAuthError, configurationError } from './errors.js';

/**
 * The token that the upstream issued when it accepted a caller. A principal refers to it in a private field, so that the token
 * cannot be printed or serialized with the principal.
 */
export interface CallerToken {
  /**
   * Returns the token. Rejects with `invalid_token` if the session of the caller has ended, and `upstream_unavailable` if a caller
   * without a session was revoked.
   */
  get(): Promise<AccessToken>;
  /**
   * Call this method when the upstream has rejected the token. Returns the failure of the call. Returns `undefined` if
   * `mayRepeat` is set and {@link get} now returns a newer token for the same credentials.
   */
  invalidate(token: AccessToken, rejection: TokenRejection): XPayAuthError | undefined;
}

/** A rejection of a token by the upstream. */
export interface TokenRejection {
  /** Whether the call may be repeated with another token. */
  readonly mayRepeat: boolean;
  /** The upstream's own references of the call. */
  readonly reference: UpstreamReference | undefined;
}

/** Reads a private field of {@link Principal}. The class has no such method, because apps can call its methods. */
let issuerOf: (principal: Principal) => symbol | undefined;

/** An authenticated caller. `@CurrentUser()` returns it; `request.user` holds it unless the app put another value there. */
export class Principal {
  /** The upstream's name for the user, which may differ from the one that was presented. */
  readonly username: string;
  /** The scopes that the upstream states, and those that they imply by `scopeHierarchy`. */
  readonly scopes: readonly string[];
  /** Whether the upstream reports a login by API rather than by a person. */
  readonly isAPI: boolean;
  /** Ms since the epoch at which the upstream's grant expires; `undefined` when it does not state an expiry. */
  readonly expiresAt: number | undefined;
  /** The `name` of the module's instance that made the check; `default` for the unnamed instance. */
  readonly instance: string;
  readonly #issuer: symbol | undefined;

  /** Pass no `issuer` in tests of your own. Guards do not accept such a principal, only those of their own instance. */
  constructor(facts: PrincipalFacts, issuer?: symbol) {
    this.username = facts.username;
    this.scopes = sharedScopes(facts.scopes);
    this.isAPI = facts.isAPI;
    this.expiresAt = facts.expiresAt;
    this.instance = facts.instance;
    this.#issuer = issuer;
    // A subclass has another private field, which some runtimes do not add to a frozen object.
    if (new.target === Principal) Object.freeze(this);
  }

  static {
    issuerOf = (principal) => principal.#issuer;
  }

  /** Whether the value is a principal. An object literal of the same shape is not. */
  static isPrincipal(value: unknown): value is Principal {
    return typeof value === 'object' && value !== null && #issuer in value;
  }

  /** Whether the instance with this `issuer` made the value. A principal of another app, or of a test, is not accepted. */
  static isIssuedBy(issuer: symbol, value: unknown): value is Principal {
    return Principal.isPrincipal(value) && value.#issuer === issuer;
  }
}

/** A principal that refers to a token. It is a class of its own, so that a principal without a token takes no more memory. */
class PrincipalWithToken extends Principal {
  readonly #token: CallerToken;

  constructor(principal: Principal, token: CallerToken) {
    super(principal, issuerOf(principal));
    this.#token = token;
    Object.freeze(this);
  }

  static tokenOf(principal: Principal): CallerToken | undefined {
    return #token in principal ? principal.#token : undefined;
  }

  static {
    // `principal.constructor` is then `Principal`. Otherwise apps could call this constructor and `tokenOf`.
    Reflect.deleteProperty(this.prototype, 'constructor');
  }
}

/** Returns a principal of the same issuer that refers to this token. */
export function withCallerToken(principal: Principal, token: CallerToken): Principal {
  return new PrincipalWithToken(principal, token);
}

/** Returns the token to which a principal refers. `undefined` if the token was not kept. */
export function callerTokenOf(principal: Principal): CallerToken | undefined {
  return PrincipalWithToken.tokenOf(principal);
}

/** The facts of a {@link Principal}. */
export type PrincipalFacts = Pick<Principal, 'username' | 'scopes' | 'isAPI' | 'expiresAt' | 'instance'>;

/**
 * Add your own scope names here, so that the editor completes them:
 *
 * ```ts
 * declare module 'nestjs-xpay-auth' {
 *   interface XPayScopes {
 *     'reports:read': true;
 *   }
 * }
 * ```
 */
export interface XPayScopes {}

/** A scope: one of xPay.stream's two, one of yours ({@link XPayScopes}), or any string of RFC 6749 §3.3. */
export type Scope = 'tme_user' | 'tme_admin' | keyof XPayScopes | (string & {});

/** The scopes that each scope implies, by the name of the scope. Implications are transitive. By default there are none. */
export type ScopeHierarchy = Readonly<Record<string, readonly string[]>>;

/** RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Whether a value can be a scope: printable ASCII without space, double quote and backslash (RFC 6749 §3.3). */
export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && SCOPE_TOKEN.test(value);
}

/** The scopes that a route requires: every one of `all`, and one of `any` unless `any` is empty. */
export interface ScopeRequirement {
  readonly all: readonly string[];
  readonly any: readonly string[];
}

/** Whether the scopes in `held` meet the requirement. The comparison is exact and case-sensitive. */
export function meets(held: readonly string[], { all, any }: ScopeRequirement): boolean {
  for (const scope of all) if (!held.includes(scope)) return false;
  return any.length === 0 || any.some((scope) => held.includes(scope));
}

/** Returns the scopes in `held` and all scopes that they imply. */
export function expandScopes(held: readonly string[], hierarchy: ScopeHierarchy): readonly string[] {
  const all = new Set<string>();
  const visit = (scope: string): void => {
    if (all.has(scope)) return;
    all.add(scope);
    if (Object.hasOwn(hierarchy, scope)) hierarchy[scope]?.forEach(visit);
  };
  held.forEach(visit);
  return Object.freeze([...all]);
}

/** Throws `configuration` when a scope implies itself, directly or through others. */
export function assertNoCycle(hierarchy: ScopeHierarchy): void {
  const finished = new Set<string>();
  const visit = (scope: string, path: readonly string[]): void => {
    if (finished.has(scope)) return;
    if (path.includes(scope)) {
      const circle = [...path.slice(path.indexOf(scope)), scope].join(' → ');
      throw configurationError(`scopeHierarchy runs in a circle: ${circle}. Remove one of its links.`);
    }
    if (Object.hasOwn(hierarchy, scope)) hierarchy[scope]?.forEach((implied) => visit(implied, [...path, scope]));
    finished.add(scope);
  };
  Object.keys(hierarchy).forEach((scope) => visit(scope, []));
}
