import { Logger, type OnModuleDestroy } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import type { AuditEvent, AuditSink } from '../../core/audit-events.js';
import { swallowErrors } from '../../core/instrumentation.js';

/**
 * Emits an event for every check at the upstream, rejection, lockout, denial, login, logout and revocation. Events contain no
 * secret. A request without credentials causes no event. A request that is answered from a cache causes no event either, but is
 * counted in {@link XPayAuditService.cacheHits}.
 */
export class XPayAuditService implements OnModuleDestroy {
  /** Audit events of callers, as they occur. An error thrown by an observer is an uncaught error of the app. */
  readonly events: Observable<AuditEvent>;
  readonly #events = new Subject<AuditEvent>();

  /** @hidden */
  constructor(
    private readonly logger: Logger,
    private readonly readCacheHits: () => number,
  ) {
    this.events = this.#events.asObservable();
  }

  /** Number of requests answered from the caches of credentials and sessions. */
  get cacheHits(): number {
    return this.readCacheHits();
  }

  /** @internal */
  readonly record: AuditSink = (event) => {
    // A failure of the app's logger or of a listener must not fail the request.
    swallowErrors(() => this.#log(event));
    swallowErrors(() => this.#events.next(event));
  };

  #log(event: AuditEvent): void {
    const isDetail = event.type === 'verified' || event.type === 'login' || event.type === 'logout';
    // Formatting a line takes as long as a digest, and most apps do not print debug lines.
    if (isDetail && !Logger.isLevelEnabled('debug')) return;
    const line = `audit ${onOneLine(JSON.stringify(event))}`;
    if (event.type === 'locked-out') this.logger.warn(line);
    else if (isDetail) this.logger.debug(line);
    else this.logger.log(line);
  }

  /** Called by Nest. Completes {@link events}. */
  onModuleDestroy(): void {
    this.#events.complete();
  }
}

/**
 * Escapes the characters that JSON does not escape: the C1 controls, the Unicode line ends and the bidirectional controls.
 * Otherwise a user name could forge a line in a terminal or log viewer.
 */
function onOneLine(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
