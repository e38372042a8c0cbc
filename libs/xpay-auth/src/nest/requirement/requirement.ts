import type { ScopeRequirement } from '../../core/principal.js';

/** Which callers are accepted: every caller, anonymous and valid ones, or valid ones. */
export type Access = 'public' | 'optional' | 'authenticated';

/** What the decorators of one class or one method declare. */
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
