import { XPayAuthError } from '../../core/errors.js';
import { isScope } from '../../core/scopes.js';
import { INSTANCE, DECLARED, type DeclaredRequirement } from '../requirement/requirement.js';

/** A class, or a method by its descriptor. */
export type MarkDecorator = ClassDecorator & MethodDecorator;

/** Writes a mark; throws where it contradicts one already there on the same class or method. */
export function declareRequirement(mark: DeclaredRequirement): MarkDecorator {
  return onTarget((target, place) => {
    const present = Reflect.getOwnMetadata(DECLARED, target) as DeclaredRequirement | undefined;
    Reflect.defineMetadata(DECLARED, present === undefined ? mark : combine(present, mark, place), target);
  });
}

/** Writes which instance decides; throws where another was already named on the same class or method. */
export function declareInstance(name: string): MarkDecorator {
  return onTarget((target, place) => {
    if (Reflect.hasOwnMetadata(INSTANCE, target))
      throw invalidDecorator(`@UseXPay('${name}') on ${place}: it is there twice.`);
    Reflect.defineMetadata(INSTANCE, name, target);
  });
}

/** The scopes a decorator was given; throws where they can be no scopes. */
export function scopesOf(decorator: string, scopes: readonly string[]): readonly string[] {
  if (scopes.length === 0) {
    throw invalidDecorator(`${decorator}() names no scope. For any valid caller write @Authenticated().`);
  }
  const bad = scopes.find((scope) => !isScope(scope));
  if (bad !== undefined) {
    throw invalidDecorator(
      `${decorator}(${JSON.stringify(bad)}) is no scope (RFC 6749 §3.3): one word of printable ASCII.`,
    );
  }
  return Object.freeze([...scopes]);
}

function combine(present: DeclaredRequirement, added: DeclaredRequirement, target: string): DeclaredRequirement {
  const place = `${added.by} on ${target}`;
  if (present.access !== added.access) {
    throw invalidDecorator(`${place} contradicts ${present.by} beside it. Keep one of them.`);
  }
  if ((present.all && added.all) || (present.any && added.any)) {
    throw invalidDecorator(`${place} is there twice. Write all scopes in one.`);
  }
  return { ...present, ...added };
}

/** Methods that were marked, by prototype: a decorator that replaces a method leaves its marks behind. */
const markedMethods = new WeakMap<object, Set<string | symbol>>();

/**
 * Whether a mark was written on this method, here or where it is inherited from, that the function now in its place does not
 * carry: another decorator replaced it, or a subclass overrode it without saying who may come in.
 */
export function hasLostDecorator(prototype: object, key: string, handler: object): boolean {
  if (Reflect.hasOwnMetadata(DECLARED, handler) || Reflect.hasOwnMetadata(INSTANCE, handler)) return false;
  for (let level: object | null = prototype; level !== null; level = Object.getPrototypeOf(level) as object | null) {
    if (markedMethods.get(level)?.has(key) === true) return true;
  }
  return false;
}

function onTarget(write: (target: object, place: string) => void): MarkDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (descriptor === undefined) {
      write(target, (target as { name?: string }).name ?? 'a class');
    } else {
      write(descriptor.value as object, `${target.constructor.name}.${String(key)}`);
      const marked = markedMethods.get(target) ?? new Set();
      markedMethods.set(target, marked.add(key ?? ''));
    }
  };
}

function invalidDecorator(message: string): XPayAuthError {
  return new XPayAuthError('configuration', message);
}
