import { XPayAuthError, type XPayAuthErrorCode } from 'nestjs-xpay-auth';
import { inspect } from 'node:util';

/** What a parser made of its input: a value, or the code it failed with. */
export type Outcome<T> = { readonly value: T } | { readonly code: XPayAuthErrorCode; readonly failure: XPayAuthError };

/** Runs a parser. Anything but an `XPayAuthError` is a crash, and goes on as it is. */
export function outcomeOf<T>(parse: () => T): Outcome<T> {
  try {
    return { value: parse() };
  } catch (failure) {
    if (!(failure instanceof XPayAuthError)) throw failure;
    return { code: failure.code, failure };
  }
}

/** As {@link outcomeOf}, for a parser that promises. */
export async function outcomeOfPromise<T>(parse: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await parse() };
  } catch (failure) {
    if (!(failure instanceof XPayAuthError)) throw failure;
    return { code: failure.code, failure };
  }
}

/** Everything that a log could show of a failure. */
export function shown(failure: Error): string {
  return inspect(failure, { depth: Infinity, showHidden: true }) + JSON.stringify(failure);
}
