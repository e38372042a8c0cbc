import { XPayAuthError } from '../../core/errors.js';
import { isAbsent } from '../../core/json-object.js';
import { Principal, type ScopeRequirement } from '../../core/principal.js';

/** Which callers are accepted: every caller, anonymous and valid ones, or valid ones. */
export type Access = 'public' | 'optional' | 'authenticated';

/** The requirement that the decorators of one class or one method declare. */
export interface DeclaredRequirement extends Partial<ScopeRequirement> {
  readonly access: Access;
  /** The decorator that wrote it, for the error of another that contradicts it. */
  readonly by: string;
}

/** The requirement of a route, of which its decorators are the parts. */
export interface Requirement extends ScopeRequirement {
  readonly access: Access;
  /** Whether a decorator declares it. A guard on a route without one requires a valid caller. */
  readonly declared: boolean;
  /** The name of the instance that decides; `undefined` is the unnamed one. */
  readonly instance: string | undefined;
}

export const DECLARED = Symbol('xpay:requirement');
export const INSTANCE = Symbol('xpay:instance');

const requirements = new WeakMap<object, WeakMap<object, Requirement>>();

/**
 * Returns the requirement of a route, computed once for each class and handler: a subclass shares the handlers it inherits,
 * so the handler alone does not determine it. The method's declaration replaces the class's.
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

/** Returns its argument, so that a subclass adds its private field to an object that exists already. */
class Existing {
  constructor(object: object) {
    // oxlint-disable-next-line no-constructor-return -- returning the given object is what puts the private field on it
    return object;
  }
}

/**
 * The decisions about an operation, by the name of the instance that decided. They are kept in a private field of the
 * operation, which no other code can read, copy or forge, and go when the operation does. A WeakMap does the same, and costs
 * 0.8 µs more with each request, most of it in the garbage collector.
 */
class Decisions extends Existing {
  readonly #byInstance = new Map<string, Decision>();

  static of(operation: object): Map<string, Decision> {
    return #byInstance in operation ? operation.#byInstance : new Decisions(operation).#byInstance;
  }
}

/** Callers that Passport's strategy accepted, of any instance. */
const acceptedByPassport = new WeakMap<object, Principal>();

/**
 * Determines the caller of an operation, once for each operation and instance, for any number of guards: ten fields of one
 * GraphQL operation are one decision, also at the same time and also for a rejection. The guards that wait for it share a
 * failure that is not the caller's, and it is not kept.
 *
 * @param operation an object that no other operation has: an HTTP request, or the key of a GraphQL operation or a message;
 *   never a connection, a request that carries several operations, or a transport's context
 */
export function decideOnce(
  operation: object,
  instance: { readonly name: string; readonly issuer: symbol },
  decide: () => Decision,
): Decision {
  const { name, issuer } = instance;
  const decisions = Decisions.of(operation);
  const present = decisions.get(name);
  // Passport has one registry for the process, so another app's strategy may have recorded its principal here.
  if (present instanceof Promise || Principal.isIssuedBy(issuer, present)) return present;
  const decision = decide();
  decisions.set(name, decision);
  if (decision instanceof Promise) {
    decision.then(
      (principal) => decisions.set(name, principal),
      (thrown: unknown) => {
        if (!isRejection(thrown)) decisions.delete(name);
      },
    );
  }
  return decision;
}

/** Records the caller that Passport's strategy accepted for this request. */
export function recordPassport(request: object, principal: Principal): void {
  Decisions.of(request).set(principal.instance, principal);
  acceptedByPassport.set(request, principal);
}

/** Returns the caller that the instance of this name accepted for this operation, if it did. */
export function decided(operation: object, name: string): Principal | undefined {
  const decision = Decisions.of(operation).get(name);
  return decision instanceof Promise ? undefined : decision;
}

/** Returns the caller that Passport's strategy accepted last for this request, of any instance. */
export function decidedByPassport(request: object): Principal | undefined {
  return acceptedByPassport.get(request);
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.trouble === 'caller';
}

/**
 * Sets `request.user`, which is Passport's convention. A value of the app stays. `undefined`, for an anonymous caller,
 * removes only a principal.
 */
export function setUser(request: { user?: unknown }, principal: Principal | undefined): void {
  const isFree = principal !== undefined && isAbsent(request.user);
  if (isFree || Principal.isPrincipal(request.user)) request.user = principal;
}
