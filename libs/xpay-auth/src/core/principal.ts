/** Who is calling, after the check. Lives on `request.user`, because Passport says so. */
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
  /** Cannot be forged from outside this class: it is what {@link isPrincipal} looks for. */
  readonly #made = true;

  constructor(facts: PrincipalFacts) {
    this.username = facts.username;
    this.scopes = facts.scopes;
    this.isAPI = facts.isAPI;
    this.expiresAt = facts.expiresAt;
    this.instance = facts.instance;
    Object.freeze(this);
  }

  /** Whether this library made it, and not somebody's object literal. */
  static isPrincipal(value: unknown): value is Principal {
    return typeof value === 'object' && value !== null && #made in value && value.#made;
  }
}

export interface PrincipalFacts {
  readonly username: string;
  readonly scopes: readonly string[];
  readonly isAPI: boolean;
  readonly expiresAt: number | undefined;
  readonly instance: string;
}
