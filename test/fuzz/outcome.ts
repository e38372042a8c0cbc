import { XPayAuthError, type XPayAuthErrorCode } from 'nestjs-xpay-auth';
import { inspect } from 'node:util';

/** The outcome of a parser: a value, or the code it failed with. */
export type Outcome<T> = { readonly value: T } | { readonly code: XPayAuthErrorCode; readonly failure: XPayAuthError };

/** Runs a parser. Anything but an `XPayAuthError` is a crash and is rethrown. */
export function outcomeOf<T>(parse: () => T): Outcome<T> {
  try {
    return { value: parse() };
  } catch (failure) {
    if (!(failure instanceof XPayAuthError)) throw failure;
    return { code: failure.code, failure };
  }
}

/** Like {@link outcomeOf}, for a parser that returns a promise. */
export async function outcomeOfPromise<T>(parse: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await parse() };
  } catch (failure) {
    if (!(failure instanceof XPayAuthError)) throw failure;
    return { code: failure.code, failure };
  }
}

/** Everything of a failure that a log could contain. */
export function shown(failure: Error): string {
  return inspect(failure, { depth: Infinity, showHidden: true }) + JSON.stringify(failure);
}
