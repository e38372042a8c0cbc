import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';

type Decision = Principal | Promise<Principal>;

/** By the name of the instance that decided, then by operation. An entry goes when its operation does. */
const decisions = new Map<string, WeakMap<object, Decision>>();
/** Callers that Passport's strategy accepted, of any instance. */
const acceptedByPassport = new WeakMap<object, Principal>();

/**
 * Decides who the caller of an operation is, once for each operation and instance, however many guards ask: ten fields of one
 * GraphQL operation are one decision, also when they ask at the same time and also when it is a rejection. A failure that is
 * not the caller's is shared by the guards that wait for it, and not kept.
 *
 * @param operation an object that no other operation has: an HTTP request, or the key of a GraphQL operation or a message;
 *   never a connection, a request that carries several operations, or a transport's context
 */
export function decideOnce(
  operation: object,
  instance: { readonly name: string; readonly issuer: symbol },
  decide: () => Decision,
): Decision {
  const ofInstance = decisionsOf(instance.name);
  const present = ofInstance.get(operation);
  // Passport has one registry for the process, so another app's strategy may have recorded its principal here.
  if (present instanceof Promise || Principal.isIssuedBy(instance.issuer, present)) return present;
  const decision = decide();
  ofInstance.set(operation, decision);
  if (decision instanceof Promise) {
    decision.then(
      (principal) => ofInstance.set(operation, principal),
      (thrown: unknown) => {
        if (!isRejection(thrown)) ofInstance.delete(operation);
      },
    );
  }
  return decision;
}

/** Records the caller that Passport's strategy accepted for this request. */
export function recordPassport(request: object, principal: Principal): void {
  decisionsOf(principal.instance).set(request, principal);
  acceptedByPassport.set(request, principal);
}

/** Returns the caller that the instance of this name accepted for this operation, if it did. */
export function decided(operation: object, name: string): Principal | undefined {
  const decision = decisions.get(name)?.get(operation);
  return decision instanceof Promise ? undefined : decision;
}

/** Returns the caller that Passport's strategy accepted last for this request, whichever instance it belongs to. */
export function decidedByPassport(request: object): Principal | undefined {
  return acceptedByPassport.get(request);
}

function decisionsOf(name: string): WeakMap<object, Decision> {
  let ofInstance = decisions.get(name);
  if (ofInstance === undefined) decisions.set(name, (ofInstance = new WeakMap()));
  return ofInstance;
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.trouble === 'caller';
}
