import { configurationError } from '../../core/errors.js';
import { isScope } from '../../core/principal.js';
import { INSTANCE, DECLARED, type DeclaredRequirement } from '../requirement/requirement.js';

/** A class, or a method by its descriptor. */
export type MarkDecorator = ClassDecorator & MethodDecorator;

/** Declares a requirement. Throws if it contradicts another requirement on the same class or method. */
export function declareRequirement(declared: DeclaredRequirement): MarkDecorator {
  return onTarget((target, place) => {
    const present = Reflect.getOwnMetadata(DECLARED, target) as DeclaredRequirement | undefined;
    Reflect.defineMetadata(DECLARED, present === undefined ? declared : combine(present, declared, place), target);
  });
}

/** Declares which instance authenticates callers. Throws if the same class or method already names an instance. */
export function declareInstance(name: string): MarkDecorator {
  return onTarget((target, place) => {
    if (Reflect.hasOwnMetadata(INSTANCE, target))
      throw configurationError(`@UseXPay('${name}') on ${place}: it is there twice.`);
    Reflect.defineMetadata(INSTANCE, name, target);
  });
}

/** Returns the scopes that a decorator was given. Throws if there are none, or if one is not a scope (RFC 6749 §3.3). */
export function scopesOf(decorator: string, scopes: readonly string[]): readonly string[] {
  if (scopes.length === 0) {
    throw configurationError(`${decorator}() names no scope. For any valid caller write @Authenticated().`);
  }
  const bad = scopes.find((scope) => !isScope(scope));
  if (bad !== undefined) {
    throw configurationError(
      `${decorator}(${JSON.stringify(bad)}) is no scope (RFC 6749 §3.3): one word of printable ASCII.`,
    );
  }
  return Object.freeze([...scopes]);
}

function combine(present: DeclaredRequirement, added: DeclaredRequirement, target: string): DeclaredRequirement {
  const place = `${added.by} on ${target}`;
  if (present.access !== added.access) {
    throw configurationError(`${place} contradicts ${present.by} beside it. Keep one of them.`);
  }
  if ((present.all && added.all) || (present.any && added.any)) {
    throw configurationError(`${place} is there twice. Write all scopes in one.`);
  }
  return { ...present, ...added };
}

/**
 * Names of the methods with a requirement, by prototype. The metadata of a method does not tell: a decorator that replaces the
 * method loses it.
 */
const declaredMethods = new WeakMap<object, Set<string | symbol>>();

/**
 * Whether a method, or the method of a base class that it overrides, was declared with a requirement that the function
 * `handler` does not have. Then another decorator replaced the function, or a subclass overrode it without a decorator.
 */
export function hasLostDecorator(prototype: object, key: string, handler: object): boolean {
  if (Reflect.hasOwnMetadata(DECLARED, handler) || Reflect.hasOwnMetadata(INSTANCE, handler)) return false;
  for (let level: object | null = prototype; level !== null; level = Object.getPrototypeOf(level) as object | null) {
    if (declaredMethods.get(level)?.has(key) === true) return true;
  }
  return false;
}

function onTarget(write: (target: object, place: string) => void): MarkDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (descriptor === undefined) {
      write(target, (target as { name?: string }).name ?? 'a class');
    } else {
      write(descriptor.value as object, `${target.constructor.name}.${String(key)}`);
      const methods = declaredMethods.get(target) ?? new Set();
      declaredMethods.set(target, methods.add(key ?? ''));
    }
  };
}
