import { isNumber, isObject, isOptionalNumber, isText, isTexts } from '../core/json-object.js';
import type { LogPosition } from './revocation-log.js';

/** Who somebody is, as it stands in the store. */
export interface StoredPrincipal {
  readonly username: string;
  readonly scopes: readonly string[];
  readonly isAPI: boolean;
  readonly expiresAt: number | undefined;
  /** When in the order of revocations the upstream was asked. */
  readonly mark: LogPosition;
}

/**
 * The store's seal vouches that one of us has written it; of which version of this library nobody knows. `undefined` for what
 * cannot be understood: nobody is let in on a guess.
 */
export function readPrincipal(said: Readonly<Record<string, unknown>> | undefined): StoredPrincipal | undefined {
  const { username, scopes, isAPI, expiresAt, mark } = said ?? {};
  const { epoch, position } = isObject(mark) ? mark : {};
  if (!isText(username) || !isTexts(scopes) || typeof isAPI !== 'boolean' || !isOptionalNumber(expiresAt))
    return undefined;
  if (!isText(epoch) || !isNumber(position)) return undefined;
  return { username, scopes, isAPI, expiresAt: expiresAt ?? undefined, mark: { epoch, position } };
}
