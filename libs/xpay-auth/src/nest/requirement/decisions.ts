import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';

type Decision = Principal | Promise<Principal>;

/** Returns its argument, so that a subclass adds its private field to an object that exists already. */
class Existing {
  constructor(object: object) {
    // oxlint-disable-next-line no-constructor-return -- the purpose of this class
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

/** Returns the caller that Passport's strategy accepted last for this request, whichever instance it belongs to. */
export function decidedByPassport(request: object): Principal | undefined {
  return acceptedByPassport.get(request);
}

function isRejection(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.trouble === 'caller';
}
