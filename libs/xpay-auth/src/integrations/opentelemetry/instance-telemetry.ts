import type { Tracer } from '@opentelemetry/api';
import type { Act, Ending, Fact, Onlooker, Sight } from '../../core/instrumentation.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import { InstanceCounts } from './instance-counts.js';
import { beginSpan } from './instance-spans.js';
import type { Instruments } from './instruments.js';

/** Turns what one instance does into spans, durations and counts. */
export class InstanceTelemetry implements Onlooker {
  readonly #counts: InstanceCounts;
  readonly #leave: (() => void)[];

  constructor(
    private readonly instance: XPayInstance,
    private readonly tracer: Tracer,
    private readonly instruments: Instruments,
  ) {
    const detach = instance.watch.attach(this);
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

  begin(act: Act): Sight {
    const { name, dialect, clock } = this.instance.options;
    const startedAt = clock.monotonic();
    const span = beginSpan(this.tracer, act, name, dialect.name);
    return {
      within: (run) => (span === undefined ? run() : span.within(run)),
      end: (ending) => {
        this.#counts.ended(act, ending);
        this.#measure(act, ending, (clock.monotonic() - startedAt) / 1_000);
        span?.end(ending);
      },
    };
  }

  note(fact: Fact): void {
    this.#counts.note(fact);
  }

  leave(): void {
    for (const step of this.#leave) step();
  }

  #measure(act: Act, { outcome }: Ending, seconds: number): void {
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
