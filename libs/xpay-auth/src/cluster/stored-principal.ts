import { isNumber, isObject, isOptionalNumber, isText, isTexts } from '../core/decoders.js';
import { Principal } from '../core/principal.js';
import type { LogPosition } from './revocation-log.js';

/** A principal in the store, with the position in the log of revocations before the call of the upstream. */
export interface StoredPrincipal {
  readonly principal: Principal;
  readonly mark: LogPosition;
}

/** Returns the fields to store. */
export function storedFields({ principal, mark }: StoredPrincipal): Readonly<Record<string, unknown>> {
  const { username, scopes, isAPI, expiresAt } = principal;
  return { username, scopes, isAPI, expiresAt, mark };
}

/**
 * Returns the principal of stored fields, or `undefined` if a field is invalid. The encryption of the store proves that an
 * instance wrote the fields, but the instance may run another version of this library.
 */
export function readPrincipal(
  fields: Readonly<Record<string, unknown>> | undefined,
  instance: string,
  issuer: symbol,
): StoredPrincipal | undefined {
  const { username, scopes, isAPI, expiresAt, mark } = fields ?? {};
  const { epoch, position } = isObject(mark) ? mark : {};
  if (!isText(username) || !isTexts(scopes) || typeof isAPI !== 'boolean' || !isOptionalNumber(expiresAt))
    return undefined;
  if (!isText(epoch) || !isNumber(position)) return undefined;
  const principal = new Principal({ username, scopes, isAPI, expiresAt: expiresAt ?? undefined, instance }, issuer);
  return { principal, mark: { epoch, position } };
}
