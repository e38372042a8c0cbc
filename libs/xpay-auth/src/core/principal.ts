/** An authenticated caller. `@CurrentUser()` returns it; `request.user` holds it unless the app put another value there. */
export class Principal {
  /** The upstream's name for the user, which need not be the one that was typed. */
  readonly username: string;
  /** What the upstream says they may do, and what that implies by `scopeHierarchy`. */
  readonly scopes: readonly string[];
  /** Whether the upstream calls it a login by API rather than by a person. */
  readonly isAPI: boolean;
  /** Ms since the epoch at which the upstream stops vouching for them; `undefined` when it does not say. */
  readonly expiresAt: number | undefined;
  /** The instance of the module that made the check: its `name`, or `default`. */
  readonly instance: string;
  readonly #issuer: symbol | undefined;

  /** For tests of your own, without an `issuer`: guards accept only the principals of their own instance. */
  constructor(facts: PrincipalFacts, issuer?: symbol) {
    this.username = facts.username;
    this.scopes = facts.scopes;
    this.isAPI = facts.isAPI;
    this.expiresAt = facts.expiresAt;
    this.instance = facts.instance;
    this.#issuer = issuer;
    Object.freeze(this);
  }

  /** Whether it is a principal, and not somebody's object literal. */
  static isPrincipal(value: unknown): value is Principal {
    return typeof value === 'object' && value !== null && #issuer in value;
  }

  /** Whether this very instance of the module made it: another app's, or one made by hand, is somebody else's word. */
  static isIssuedBy(issuer: symbol, value: unknown): value is Principal {
    return Principal.isPrincipal(value) && value.#issuer === issuer;
  }
}

/** What a {@link Principal} is made of. */
export interface PrincipalFacts {
  /** The upstream's name for the user. */
  readonly username: string;
  /** Every scope they hold, implied ones included. */
  readonly scopes: readonly string[];
  /** Whether the upstream calls it a login by API. */
  readonly isAPI: boolean;
  /** Ms since the epoch at which the upstream stops vouching for them; `undefined` when it does not say. */
  readonly expiresAt: number | undefined;
  /** The instance of the module: its `name`, or `default`. */
  readonly instance: string;
}
