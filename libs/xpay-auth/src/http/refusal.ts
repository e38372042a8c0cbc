import type { Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { UpstreamAnswer } from '../core/ports.js';

/**
 * Throws `invalid_credentials` for an empty user name or secret: no upstream needs to be asked, and some call it a malformed
 * request.
 */
export function refuseEmpty({ username, secretKey }: Credentials): void {
  if (username !== '' && secretKey !== '') return;
  throw new XPayAuthError('invalid_credentials', 'The user name or the secret is empty');
}

/**
 * Whether an answer to a refresh says that it will not be renewed this way, so that a full login is next: any 4xx but 408
 * and 429, which are about this moment.
 */
export function refusesRenewal({ status }: UpstreamAnswer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
