import { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';

type Decision = Principal | Promise<Principal>;

/** By operation, and by the name of the instance that decided. An entry goes when its operation does. */
const decisions = new WeakMap<object, Map<string, Decision>>();

/**
 * Decides who calls, once for each operation and instance, however many guards ask: ten fields of one GraphQL operation are
 * one decision, also when they ask at the same time and also when it is a refusal. A failure that is not the caller's is
 * shared by the guards that wait for it, and not kept.
 *
 * @param operation an object that no other operation has; never a connection, a request of GraphQL or a transport's context
 */
export function decideOnce(operation: object, instance: string, decide: () => Decision): Decision {
  let ofOperation = decisions.get(operation);
  if (ofOperation === undefined) decisions.set(operation, (ofOperation = new Map()));
  const present = ofOperation.get(instance);
  if (present !== undefined) return present;
  const decision = decide();
  ofOperation.set(instance, decision);
  if (decision instanceof Promise) {
    decision.then(
      (principal) => ofOperation.set(instance, principal),
      (thrown: unknown) => {
        if (!isRefusal(thrown)) ofOperation.delete(instance);
      },
    );
  }
  return decision;
}

/** Returns the caller that this instance accepted for this operation, if it did. */
export function decided(operation: object, instance: string): Principal | undefined {
  const decision = decisions.get(operation)?.get(instance);
  return decision instanceof Promise ? undefined : decision;
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.trouble === 'caller';
}
