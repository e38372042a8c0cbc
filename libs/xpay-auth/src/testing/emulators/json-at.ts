import { isRecord } from './wire-message.js';

/** What stands at a path inside parsed JSON, array indexes included; `undefined` when nothing does. */
export function jsonAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, step) => {
    if (Array.isArray(at) && typeof step === 'number') return at[step];
    return isRecord(at) ? at[String(step)] : undefined;
  }, value);
}

/** The claims of a JWT, unverified; `undefined` when it is none. */
export function claimsOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as unknown;
  } catch {
    return undefined;
  }
}
