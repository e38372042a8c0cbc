import { configurationError } from '../../core/errors.js';
import { isScope } from '../../core/principal.js';
import { INSTANCE, DECLARED, type DeclaredRequirement } from '../requirement/requirement.js';

/** A decorator for a class or a method. */
export type MarkDecorator = ClassDecorator & MethodDecorator;

/** Declares a requirement. Throws `configuration` if another one on the same class or method contradicts it. */
export function declareRequirement(declared: DeclaredRequirement): MarkDecorator {
  return onTarget((target, place) => {
    const present = Reflect.getOwnMetadata(DECLARED, target) as DeclaredRequirement | undefined;
    Reflect.defineMetadata(DECLARED, present === undefined ? declared : combine(present, declared, place), target);
  });
}

/** Declares the instance that decides. Throws `configuration` if the same class or method already names an instance. */
export function declareInstance(name: string): MarkDecorator {
  return onTarget((target, place) => {
    if (Reflect.hasOwnMetadata(INSTANCE, target))
      throw configurationError(`@UseXPay('${name}') on ${place}: it is there twice.`);
    Reflect.defineMetadata(INSTANCE, name, target);
  });
}

/** Checks and returns the scopes of a decorator. Throws `configuration` if there are none, or if one is not a scope. */
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

/** Names of decorated methods, by prototype. A decorator that replaces a method's function loses that function's metadata. */
const declaredMethods = new WeakMap<object, Set<string | symbol>>();

/**
 * Whether this method was decorated, in its class or in a base class, but its current function has no requirement. Either another
 * decorator replaced the function, or a subclass overrode the method without a decorator.
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
