import { Session } from 'node:inspector';
import type { Runtime } from 'node:inspector';

const HANDLE = '__looked_into__';

/**
 * Returns every string that is reachable from a value, including private members, map entries and variables of closures. These
 * are all strings that a memory dump of the cache would contain. Functions and the module system are not searched.
 */
export function stringsWithin(value: unknown): string[] {
  const session = new Session();
  session.connect();
  try {
    const root = handleOf(session, value);
    return walk(session, root);
  } finally {
    session.disconnect();
  }
}

/** The properties of an object. Declared here, because Node's types do not include private members. */
interface Properties extends Runtime.GetPropertiesReturnType {
  readonly privateProperties?: readonly { readonly name: string; readonly value?: Runtime.RemoteObject }[];
}

/** Returns the inspector's id of a value. jest runs each file in a separate realm, so all realms are searched. */
function handleOf(session: Session, value: unknown): string {
  const realms: number[] = [];
  session.on('Runtime.executionContextCreated', ({ params }) => realms.push(params.context.id));
  session.post('Runtime.enable');
  Object.defineProperty(globalThis, HANDLE, { value, configurable: true });
  try {
    for (const contextId of realms) {
      let found: string | undefined;
      session.post('Runtime.evaluate', { expression: `globalThis.${HANDLE}`, contextId }, (_failure, answer) => {
        found = (answer as Runtime.EvaluateReturnType | undefined)?.result.objectId;
      });
      if (found !== undefined) return found;
    }
    throw new Error('the inspector does not see the value');
  } finally {
    Reflect.deleteProperty(globalThis, HANDLE);
  }
}

function walk(session: Session, root: string): string[] {
  const strings: string[] = [];
  const waiting = [root];
  const seen = new Set<string>();
  const take = (name: string, value: Runtime.RemoteObject | undefined): void => {
    strings.push(name);
    if (value?.type === 'string') strings.push(String(value.value));
    const { objectId, type, subtype, description } = value ?? {};
    if (type === 'symbol') strings.push(description ?? '');
    if (objectId === undefined || type === 'symbol' || type === 'function' || subtype === 'typedarray') return;
    const identity = identityOf(session, objectId);
    if (!seen.has(identity)) waiting.push(objectId);
    seen.add(identity);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const parameters = { objectId: withoutHoles(session, next), ownProperties: true };
    session.post('Runtime.getProperties', parameters, (_failure, answer) => {
      const { result, privateProperties = [], internalProperties = [] } = answer as Properties;
      for (const { name, value } of [...result, ...privateProperties]) take(name, value);
      for (const { name, value } of internalProperties) if (!/Prototype|Function|Scopes/.test(name)) take(name, value);
    });
  }
  return strings;
}

/** Returns a number that identifies an object. The inspector's id does not, because each report of an object has a new id. */
function identityOf(session: Session, objectId: string): string {
  return ask(session, objectId, function (this: object) {
    const realm = globalThis as { __numbers__?: WeakMap<object, string>; __next__?: number };
    const numbers = (realm.__numbers__ ??= new WeakMap());
    const number = numbers.get(this) ?? String((realm.__next__ = (realm.__next__ ?? 0) + 1));
    numbers.set(this, number);
    return number;
  }).value as string;
}

/** Returns the array without its holes. The arrays of a cache have a slot for each possible entry, so most slots are empty. */
function withoutHoles(session: Session, objectId: string): string {
  const filled = ask(session, objectId, function (this: unknown) {
    return Array.isArray(this) ? this.filter((item) => item !== undefined && item !== null) : this;
  });
  return filled.objectId ?? objectId;
}

function ask(session: Session, objectId: string, question: (this: object) => unknown): Runtime.RemoteObject {
  let answer: Runtime.RemoteObject | undefined;
  const functionDeclaration = question.toString();
  session.post(
    'Runtime.callFunctionOn',
    { objectId, functionDeclaration },
    (_failure, { result }) => (answer = result),
  );
  if (answer === undefined) throw new Error('the inspector did not respond');
  return answer;
}
