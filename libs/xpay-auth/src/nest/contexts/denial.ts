import { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { ScopeRequirement } from '../../core/scopes.js';
import { type IncomingRequest, addressOf } from '../request/incoming-request.js';
import type { XPayInstance } from '../instance/instance.js';

/** A caller who lacks scopes, told to the auditor. */
export function insufficientScope(
  { username }: Principal,
  { all, any }: ScopeRequirement,
  { audit }: XPayInstance,
  request: IncomingRequest,
): XPayAuthError {
  const requiredScopes = [...all, ...any];
  audit({ type: 'denied', username, address: addressOf(request).address, requiredScopes });
  return new XPayAuthError('insufficient_scope', `The caller lacks ${requiredScopes.join(' ')}`, { requiredScopes });
}
