import type { ScopeRequirement } from '../../core/scopes.js';

/** Who may come in at all: everybody, everybody but wrong credentials, or valid callers. */
export type Access = 'public' | 'optional' | 'authenticated';

/** What the marks of one class or one method say. */
export interface DeclaredRequirement extends Partial<ScopeRequirement> {
  readonly access: Access;
  /** The decorator that wrote it, for the error of another that contradicts it. */
  readonly by: string;
}

/** What a route asks of its caller. */
export interface Requirement extends ScopeRequirement {
  readonly access: Access;
  /** Whether any mark says so; a guard on an unmarked route asks for a valid caller. */
  readonly declared: boolean;
  /** The instance that decides, by name; the unnamed one without. */
  readonly instance: string | undefined;
}

export const DECLARED = Symbol('xpay:mark');
export const INSTANCE = Symbol('xpay:instance');

const requirements = new WeakMap<object, WeakMap<object, Requirement>>();

/**
 * The requirement of a route, worked out once for each class and handler: a subclass shares the handlers it inherits, so
 * the handler alone does not say which rule holds. The method's mark replaces the class's.
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
  const mark = read<DeclaredRequirement>(DECLARED);
  return Object.freeze({
    access: mark?.access ?? 'authenticated',
    all: mark?.all ?? [],
    any: mark?.any ?? [],
    declared: mark !== undefined,
    instance: read<string>(INSTANCE),
  });
}
