import { XPayAuthError } from '../../core/errors.js';
import { isAbsent } from '../../core/decoders.js';
import { Principal, type ScopeRequirement } from '../../core/principal.js';

/** The accepted callers. `public`: every caller. `optional`: anonymous callers and valid ones. `authenticated`: valid ones. */
export type Access = 'public' | 'optional' | 'authenticated';

/** The requirement that the decorators of one class or one method declare. */
export interface DeclaredRequirement extends Partial<ScopeRequirement> {
  readonly access: Access;
  /** The decorator, as named in the error if another decorator contradicts it. */
  readonly by: string;
}

/** The requirement of a route: the combination of its decorators. */
export interface Requirement extends ScopeRequirement {
  readonly access: Access;
  /** Whether a decorator declares the requirement. If none does, a guard on the route requires a valid caller. */
  readonly declared: boolean;
  /** The name of the instance that decides; `undefined` for the unnamed instance. */
  readonly instance: string | undefined;
}

export const DECLARED = Symbol('xpay:requirement');
export const INSTANCE = Symbol('xpay:instance');

const requirements = new WeakMap<object, WeakMap<object, Requirement>>();

/**
 * Returns the requirement of a route. The method's declaration replaces the class's. The result is computed once for each pair
 * of class and handler, because a subclass shares the handlers that it inherits but may declare another requirement.
 */
export function requirementOf(controller: object, handler: object): Requirement {
  let ofClass = requirements.get(controller);
  if (ofClass === undefined) requirements.set(controller, (ofClass = new WeakMap()));
  let requirement = ofClass.get(handler);
  if (requirement === undefined) ofClass.set(handler, (requirement = compute(controller, handler)));
  return requirement;
}

function compute(controller: object, handler: object): Requirement {
  const read = <T>(key: symbol): T | undefined =>
    (Reflect.getMetadata(key, handler) ?? Reflect.getMetadata(key, controller)) as T | undefined;
  const declared = read<DeclaredRequirement>(DECLARED);
  return Object.freeze({
    access: declared?.access ?? 'authenticated',
    all: declared?.all ?? [],
    any: declared?.any ?? [],
    declared: declared !== undefined,
    instance: read<string>(INSTANCE),
  });
}

type Decision = Principal | Promise<Principal>;

/** The constructor returns its argument, so that a subclass adds its private field to an object that exists already. */
class Existing {
  constructor(object: object) {
    // oxlint-disable-next-line no-constructor-return -- the private field is added to the returned object
    return object;
  }
}

/** The decision of one instance about an operation, and those of the others. */
interface Decided {
  readonly name: string;
  decision: Decision | undefined;
  readonly others: Decided | undefined;
}

/**
 * The decisions about an operation, by the name of the instance that decided. They are in a private field of the operation,
 * which no other code can read, copy or forge, and which is freed with the operation. A WeakMap would do the same, but costs
 * 0.8 µs more for each request, mostly in the garbage collector.
 */
class Decisions extends Existing {
  #last: Decided | undefined;

  static of(operation: object, name: string): Decided | undefined {
    let last = #last in operation ? operation.#last : undefined;
    while (last !== undefined && last.name !== name) last = last.others;
    return last;
  }

  static add(operation: object, name: string, decision: Decision): Decided {
    const decisions = #last in operation ? operation : new Decisions(operation);
    return (decisions.#last = { name, decision, others: decisions.#last });
  }
}

/** The caller that Passport's strategy of any instance accepted last for a request. */
const acceptedByPassport = new WeakMap<object, Principal>();

/**
 * Returns the decision of an instance about an operation, or `undefined` if the instance has not decided yet. Any number of guards
 * share one decision: ten fields of one GraphQL operation share one decision or rejection, even if their guards run concurrently.
 *
 * @param operation an object that no other operation has: an HTTP request, or the key of a GraphQL operation or a message;
 *   never a connection, a request with several operations, or a transport's context
 */
export function decisionOf(operation: object, name: string, issuer: symbol): Decision | undefined {
  const decision = Decisions.of(operation, name)?.decision;
  // Passport has one registry for the process, so another app's strategy may have recorded its principal here.
  return decision instanceof Promise || Principal.isIssuedBy(issuer, decision) ? decision : undefined;
}

/**
 * Records a decision for {@link decisionOf}, and returns the decision. A failure that is not the caller's fault is passed to the
 * guards that are waiting for the decision, and is not kept.
 */
export function recordDecision(operation: object, name: string, decision: Decision): Decision {
  const decided = Decisions.add(operation, name, decision);
  if (decision instanceof Promise) {
    decision.then(
      (principal) => (decided.decision = principal),
      (thrown: unknown) => {
        if (!isRejection(thrown)) decided.decision = undefined;
      },
    );
  }
  return decision;
}

/** Records the caller that Passport's strategy accepted for this request. */
export function recordPassport(request: object, principal: Principal): void {
  Decisions.add(request, principal.instance, principal);
  acceptedByPassport.set(request, principal);
}

/** Returns the caller that the instance of this name accepted for this operation; `undefined` if there is none yet. */
export function decided(operation: object, name: string): Principal | undefined {
  const decision = Decisions.of(operation, name)?.decision;
  return decision instanceof Promise ? undefined : decision;
}

/** Returns the caller that Passport's strategy of any instance accepted last for this request. */
export function decidedByPassport(request: object): Principal | undefined {
  return acceptedByPassport.get(request);
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.trouble === 'caller';
}

/**
 * Sets `request.user`, as Passport does. Does not replace a value that the app has set. For an anonymous caller, `principal` is
 * `undefined`, which removes a principal but no other value.
 */
export function setUser(request: { user?: unknown }, principal: Principal | undefined): void {
  const { user } = request;
  if (isAbsent(user) ? principal !== undefined : Principal.isPrincipal(user)) request.user = principal;
}
