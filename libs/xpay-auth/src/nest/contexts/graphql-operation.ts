import type { ArgumentsHost } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';

/** By `variableValues`, then by root value. */
const events = new WeakMap<object, WeakMap<object, object>>();

/**
 * Returns an object that belongs to one operation, or to one event of a subscription: `info.variableValues`, which graphql-js
 * creates for each execution. Requests and contexts are shared by the operations of a batch and of a connection, and
 * `info.operation` by all executions of a document that a server keeps. Throws `configuration` where the driver has none.
 */
export function operationOf(host: ArgumentsHost): object {
  const { variableValues, rootValue } = argumentsOf(host).info;
  if (isObject(variableValues)) return isObject(rootValue) ? eventOf(variableValues, rootValue) : variableValues;
  throw new XPayAuthError('configuration', 'The GraphQL driver hands over no info.variableValues for its operations');
}

/** Executors such as that of graphql-tools use one `variableValues` for all events of a subscription; an event is the root value. */
function eventOf(variableValues: object, rootValue: object): object {
  let ofExecution = events.get(variableValues);
  if (ofExecution === undefined) events.set(variableValues, (ofExecution = new WeakMap()));
  let event = ofExecution.get(rootValue);
  if (event === undefined) ofExecution.set(rootValue, (event = {}));
  return event;
}

interface ResolverArguments {
  readonly context: unknown;
  readonly info: { readonly variableValues?: unknown; readonly rootValue?: unknown };
}

/** The last two arguments of a resolver. A reference resolver of a federation has one argument before them, others have two. */
export function argumentsOf(host: ArgumentsHost): ResolverArguments {
  const args: readonly unknown[] = host.getArgs();
  const [context, info] = args.slice(args.length === 3 ? 1 : 2);
  return { context, info: isObject(info) ? info : {} };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
