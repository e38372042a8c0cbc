import type { AuditSink } from '../core/audit-events.js';
import { XPayAuthError } from '../core/errors.js';
import type { PresentedCredentials } from './presented-credentials.js';

/** Reports a rejection to the auditor, and returns it. */
export function rejection(
  audit: AuditSink,
  { by }: PresentedCredentials,
  reason: string,
  { reference }: Pick<XPayAuthError, 'reference'> = {},
): XPayAuthError {
  audit({ type: 'refused', ...by, reason, reference });
  return new XPayAuthError('invalid_credentials', `The credentials were refused: ${reason}`, { reference });
}

export function isRejection(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.code === 'invalid_credentials';
}
