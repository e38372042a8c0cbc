import type { Logger, OnModuleDestroy } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import type { AuditEvent, AuditSink } from '../../core/audit-events.js';

/**
 * Every check at the upstream, refusal, lockout, denial, login, logout and revocation, as it happens. Holds no secret. A
 * request that presents nothing is no event, and one that is answered from memory is only counted.
 */
export class XPayAuditService implements OnModuleDestroy {
  /** What happens to callers, as it happens. An observer that throws is an uncaught error of the app. */
  readonly events: Observable<AuditEvent>;
  readonly #events = new Subject<AuditEvent>();

  /** @hidden */
  constructor(
    private readonly logger: Logger,
    private readonly readCacheHits: () => number,
  ) {
    this.events = this.#events.asObservable();
  }

  /** How many requests were answered from memory: remembered credentials and sessions. */
  get cacheHits(): number {
    return this.readCacheHits();
  }

  /** @internal */
  readonly record: AuditSink = (event) => {
    try {
      this.#log(event);
    } catch {
      // A full disk under the app's logger is not the caller's trouble.
    }
    try {
      this.#events.next(event);
    } catch {
      // Nor is what a listener makes of it.
    }
  };

  #log(event: AuditEvent): void {
    const line = `audit ${onOneLine(JSON.stringify(event))}`;
    if (event.type === 'locked-out') this.logger.warn(line);
    else if (event.type === 'verified' || event.type === 'login' || event.type === 'logout') this.logger.debug(line);
    else this.logger.log(line);
  }

  /** Nest calls it. */
  onModuleDestroy(): void {
    this.#events.complete();
  }
}

/**
 * JSON escapes what ends a line in ASCII. Terminals and log viewers also heed the C1 controls, the Unicode line ends and
 * the marks that reverse the direction of writing: a user name must not forge a line with any of them.
 */
function onOneLine(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
