import type { Tracer } from '@opentelemetry/api';
import type { Operation, SpanEnd, InstrumentationEvent, Observer, Span } from '../../core/instrumentation.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import { InstanceCounts } from './instance-counts.js';
import { beginSpan } from './instance-spans.js';
import type { Instruments } from './instruments.js';

/** Turns what one instance does into spans, durations and counts. */
export class InstanceTelemetry implements Observer {
  readonly #counts: InstanceCounts;
  readonly #leave: (() => void)[];

  constructor(
    private readonly instance: XPayInstance,
    private readonly tracer: Tracer,
    private readonly instruments: Instruments,
  ) {
    const detach = instance.instrumentation.attach(this);
    const counts = (this.#counts = new InstanceCounts(instance));
    const { name } = instance.options;
    const tokenEvents = instance.tokens.events.subscribe((event) => {
      counts.heardOfToken(event);
      if ('leadMs' in event && event.leadMs !== undefined) {
        instruments.record('lead', event.leadMs / 1_000, attributes({ instance: name }));
      }
    });
    const auditEvents = instance.auditing.events.subscribe((event) => counts.heardOfCaller(event));
    this.#leave = [
      detach,
      () => tokenEvents.unsubscribe(),
      () => auditEvents.unsubscribe(),
      instruments.onCollect((observe) => counts.read(observe)),
    ];
  }

  start(act: Operation): Span {
    const { name, dialect, clock } = this.instance.options;
    const startedAt = clock.monotonic();
    const span = beginSpan(this.tracer, act, name, dialect.name);
    return {
      run: (run) => (span === undefined ? run() : span.run(run)),
      end: (ending) => {
        this.#counts.ended(act, ending);
        this.#measure(act, ending, (clock.monotonic() - startedAt) / 1_000);
        span?.end(ending);
      },
    };
  }

  record(fact: InstrumentationEvent): void {
    this.#counts.note(fact);
  }

  leave(): void {
    for (const step of this.#leave) step();
  }

  #measure(act: Operation, { outcome }: SpanEnd, seconds: number): void {
    const { name: instance, dialect } = this.instance.options;
    if (act.type === 'verify') this.instruments.record('verification', seconds, attributes({ instance, outcome }));
    if (act.type !== 'ask upstream') return;
    const { operation } = act;
    const purpose = act.purpose.replaceAll(' ', '_');
    this.instruments.record(
      'upstream',
      seconds,
      attributes({ instance, dialect: dialect.name, operation, purpose, outcome }),
    );
  }
}
