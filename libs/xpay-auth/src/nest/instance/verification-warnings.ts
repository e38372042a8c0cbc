import type { Logger } from '@nestjs/common';
import type { Clock } from '../../core/clock.js';
import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import type { upstreamCalls } from '../../http/upstream-calls.js';

/** Ms between two warnings of one kind: an outage fails every caller. */
const EVERY_MS = 60_000;

type Authenticate = ReturnType<typeof upstreamCalls>['authenticate'];

/** Returns the same call. Warns of a failure that is not the caller's, at most once a minute for each code. */
export function warnOfFailures(authenticate: Authenticate, origin: string, clock: Clock, logger: Logger): Authenticate {
  const warnedAt = new Map<string, number>();
  return async (credentials, purpose, signal) => {
    try {
      return await authenticate(credentials, purpose, signal);
    } catch (thrown) {
      const reason: unknown = signal.aborted ? signal.reason : thrown;
      const failure = asXPayAuthError(reason, 'upstream_malformed', 'The dialect failed in an unexpected way');
      const { code, message } = failure;
      const now = clock.monotonic();
      const isDue = now - (warnedAt.get(code) ?? -Infinity) >= EVERY_MS;
      if (failure.trouble === 'upstream' && isDue) {
        warnedAt.set(code, now);
        logger.warn(`Callers cannot be verified at ${origin}: ${code}, ${message}${causeOf(failure, message)}`);
      }
      throw thrown;
    }
  };
}

/** Node's name for the reason of a failed connection, unless the message has it. */
function causeOf({ cause }: XPayAuthError, message: string): string {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return typeof code !== 'string' || message.includes(code) ? '' : ` (${code})`;
}
