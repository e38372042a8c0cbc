/** Returns the value at a path inside parsed JSON, including array indexes; `undefined` if there is none. */
export function jsonAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, step) => (at as Readonly<Record<string | number, unknown>> | null)?.[step], value);
}

/** Returns the claims of a JWT, unverified; `undefined` if it is not a JWT. */
export function claimsOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as unknown;
  } catch {
    return undefined;
  }
}
