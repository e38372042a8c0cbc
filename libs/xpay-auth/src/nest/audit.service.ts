import type { Logger, OnModuleDestroy } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import type { AuditEvent, AuditSink } from '../flows/audit-events.js';

/** Every check, refusal, login, logout, denial and lockout, as it happens. Holds no secret. */
export class XPayAuditService implements OnModuleDestroy {
  readonly events: Observable<AuditEvent>;
  readonly #events = new Subject<AuditEvent>();

  /** @internal */
  constructor(private readonly logger: Logger) {
    this.events = this.#events.asObservable();
  }

  /** @internal */
  readonly record: AuditSink = (event) => {
    // JSON escapes control characters: a user name cannot forge a line of the log.
    const line = `audit ${JSON.stringify(event)}`;
    if (event.type === 'locked-out') this.logger.warn(line);
    else if (event.type === 'verified' || event.type === 'login' || event.type === 'logout') this.logger.debug(line);
    else this.logger.log(line);
    this.#events.next(event);
  };

  onModuleDestroy(): void {
    this.#events.complete();
  }
}
