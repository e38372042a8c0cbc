import type { Logger } from '@nestjs/common';
import type { Clock } from '../../core/clock.js';
import type { XPayAuthError } from '../../core/errors.js';

/** Ms between two warnings of one kind: an outage fails every caller. */
const EVERY_MS = 60_000;

/** Returns a function that warns of a failure of the upstream, at most once a minute for each code. */
export function warningsOf(origin: string, clock: Clock, logger: Logger): (failure: XPayAuthError) => void {
  const warnedAt = new Map<string, number>();
  return (failure) => {
    const { code, message } = failure;
    const now = clock.monotonic();
    if (now - (warnedAt.get(code) ?? -Infinity) < EVERY_MS) return;
    warnedAt.set(code, now);
    logger.warn(`Callers cannot be verified at ${origin}: ${code}, ${message}${causeOf(failure, message)}`);
  };
}

/** Returns Node's name for the reason of a failed connection, unless the message has it. */
function causeOf({ cause }: XPayAuthError, message: string): string {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return typeof code !== 'string' || message.includes(code) ? '' : ` (${code})`;
}
