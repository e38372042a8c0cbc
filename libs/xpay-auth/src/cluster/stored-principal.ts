import { AccessToken } from '../core/credentials.js';
import { isAbsent, isNumber, isObject, isOptionalNumber, isText, isTexts } from '../core/decoders.js';
import { Principal } from '../core/principal.js';
import type { LogPosition } from './revocation-log.js';

/** A principal in the store. */
export interface StoredPrincipal {
  readonly principal: Principal;
  /** Position in the log of revocations before the call of the upstream. */
  readonly mark: LogPosition;
  /** The upstream's token of this principal. `undefined` if it is not kept. */
  readonly upstreamToken: AccessToken | undefined;
}

/** Returns the fields to store. */
export function storedFields({ principal, mark, upstreamToken }: StoredPrincipal): Readonly<Record<string, unknown>> {
  const { username, scopes, isAPI, expiresAt } = principal;
  const token = upstreamToken && {
    value: upstreamToken.value,
    expiresAt: upstreamToken.expiresAt,
    scopes: upstreamToken.scopes,
  };
  return { username, scopes, isAPI, expiresAt, mark, token };
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
  const stored = { principal, mark: { epoch, position } };
  const { token } = fields ?? {};
  if (isAbsent(token)) return { ...stored, upstreamToken: undefined };
  const upstreamToken = readToken(token);
  return upstreamToken && { ...stored, upstreamToken };
}

function readToken(token: unknown): AccessToken | undefined {
  const { value, expiresAt, scopes } = isObject(token) ? token : {};
  if (!isText(value) || !isOptionalNumber(expiresAt) || !isTexts(scopes)) return undefined;
  return new AccessToken(value, { expiresAt: expiresAt ?? undefined, scopes });
}
