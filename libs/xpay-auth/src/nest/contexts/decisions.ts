import type { Principal } from '../../core/principal.js';

type Decision = Principal | Promise<Principal>;

/** By request or message, and by the name of the instance that decided. They go when it goes. */
const decisions = new WeakMap<object, Map<string, Decision>>();

/**
 * Who calls, decided once for each request or message and instance, however many guards ask: ten fields of one GraphQL
 * request are one decision, also when they ask at the same time and also when it is a refusal.
 */
export function decideOnce(call: object, instance: string, decide: () => Decision): Decision {
  let ofCall = decisions.get(call);
  if (ofCall === undefined) decisions.set(call, (ofCall = new Map()));
  const present = ofCall.get(instance);
  if (present !== undefined) return present;
  const decision = decide();
  ofCall.set(instance, decision);
  if (decision instanceof Promise) {
    decision.then(
      (principal) => ofCall.set(instance, principal),
      () => undefined,
    );
  }
  return decision;
}

/** Whom this instance let in, if it did. */
export function decided(call: object, instance: string): Principal | undefined {
  const decision = decisions.get(call)?.get(instance);
  return decision instanceof Promise ? undefined : decision;
}
