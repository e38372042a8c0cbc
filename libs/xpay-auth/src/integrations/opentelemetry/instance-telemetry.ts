import type { Tracer } from '@opentelemetry/api';
import { Subscription } from 'rxjs';
import type { Operation, SpanEnd, InstrumentationEvent, Observer, Span } from '../../core/instrumentation.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import { InstanceCounts } from './instance-counts.js';
import { beginSpan } from './instance-spans.js';
import type { Instruments } from './instruments.js';

/** Turns the activity of one instance into spans, durations and counts. */
export class InstanceTelemetry implements Observer {
  readonly #counts: InstanceCounts;
  readonly #subscription = new Subscription();

  constructor(
    private readonly instance: XPayInstance,
    private readonly tracer: Tracer,
    private readonly instruments: Instruments,
  ) {
    const counts = (this.#counts = new InstanceCounts(instance));
    const { name } = instance.options;
    const onTokenEvent = (event: TokenEvent): void => {
      counts.onTokenEvent(event);
      if (!('leadMs' in event) || event.leadMs === undefined) return;
      instruments.record('lead', event.leadMs / 1_000, attributes({ instance: name }));
    };
    this.#subscription.add(instance.instrumentation.attach(this));
    this.#subscription.add(instance.tokens.events.subscribe(onTokenEvent));
    this.#subscription.add(instance.auditing.events.subscribe((event) => counts.onAuditEvent(event)));
    this.#subscription.add(instruments.onCollect((observe) => counts.read(observe)));
  }

  start(operation: Operation): Span {
    const { name, dialect, clock } = this.instance.options;
    const startedAt = clock.monotonic();
    const span = beginSpan(this.tracer, operation, name, dialect.name);
    return {
      run: (run) => (span === undefined ? run() : span.run(run)),
      end: (ending) => {
        this.#counts.ended(operation, ending);
        this.#measure(operation, ending, (clock.monotonic() - startedAt) / 1_000);
        span?.end(ending);
      },
    };
  }

  record(event: InstrumentationEvent): void {
    this.#counts.note(event);
  }

  leave(): void {
    this.#subscription.unsubscribe();
  }

  #measure(operation: Operation, { outcome }: SpanEnd, seconds: number): void {
    const { name: instance, dialect } = this.instance.options;
    if (operation.type === 'verify')
      this.instruments.record('verification', seconds, attributes({ instance, outcome }));
    if (operation.type !== 'ask upstream') return;
    const purpose = operation.purpose.replaceAll(' ', '_');
    const about = { instance, dialect: dialect.name, operation: operation.operation, purpose, outcome };
    this.instruments.record('upstream', seconds, attributes(about));
  }
}
