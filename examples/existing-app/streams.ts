// streams.ts
import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes, XPayAuditService } from 'nestjs-xpay-auth';
import { type Observable, filter, interval, map, merge, takeUntil, timer } from 'rxjs';

@Controller()
export class PricesController {
  /** Ms after which a client has to connect again, and is authenticated again. */
  readonly maxMs = 60_000;

  constructor(private readonly audit: XPayAuditService) {}

  @Scopes('tme_user')
  @Sse('prices')
  prices(@CurrentUser() { username }: Principal): Observable<MessageEvent> {
    const signedOut = this.audit.events.pipe(
      filter(({ type }) => type === 'logout' || type === 'revoked'),
      filter((event) => event.username === username || event.username === '*'),
    );
    const prices = interval(1_000).pipe(map((price) => ({ data: { price } })));
    return prices.pipe(takeUntil(merge(signedOut, timer(this.maxMs))));
  }
}
