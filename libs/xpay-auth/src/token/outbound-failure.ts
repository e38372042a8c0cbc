import { XPayAuthError } from '../core/errors.js';
import { nameOnly } from '../core/name-only.js';

/** An outbound failure never carries a caller's code. */
export function asOutboundFailure(thrown: unknown): XPayAuthError {
  if (!(thrown instanceof XPayAuthError)) {
    const cause = nameOnly(thrown);
    return new XPayAuthError('upstream_malformed', `The dialect failed in an unexpected way (${cause.message})`, {
      cause,
    });
  }
  if (thrown.trouble !== 'caller') return thrown;
  return new XPayAuthError('credentials_rejected', "The upstream refused this application's own account", {
    cause: thrown,
    reference: thrown.reference,
  });
}
