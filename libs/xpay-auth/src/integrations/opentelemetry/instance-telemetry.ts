import type { Tracer } from '@opentelemetry/api';
import { Subscription } from 'rxjs';
import type { AuditEvent } from '../../core/audit-events.js';
import type { InstrumentationEvent, Observer, Operation, Span, SpanEnd } from '../../core/instrumentation.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import { beginSpan } from './instance-spans.js';
import type { Instruments, Observe } from './instruments.js';
import { COUNTERS, type CounterMetric } from './metrics.js';

type CounterName = keyof typeof COUNTERS;

/** Turns the activity of one instance into spans, durations and counts. */
export class InstanceTelemetry implements Observer {
  /** The counts since the start, in plain numbers that are read at collection. */
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #subscription = new Subscription();

  constructor(
    private readonly instance: XPayInstance,
    private readonly tracer: Tracer,
    private readonly instruments: Instruments,
  ) {
    for (const [name, { values = [''] }] of Object.entries<CounterMetric>(COUNTERS)) {
      this.#counts.set(name, new Map(values.map((value) => [value, 0])));
    }
    this.#subscription.add(instance.instrumentation.attach(this));
    this.#subscription.add(instance.tokens.events.subscribe((event) => this.#onTokenEvent(event)));
    this.#subscription.add(instance.auditing.events.subscribe((event) => this.#onAuditEvent(event)));
    this.#subscription.add(instruments.onCollect((observe) => this.#read(observe)));
  }

  start(operation: Operation): Span {
    const { name, dialect, clock } = this.instance.options;
    const startedAt = clock.monotonic();
    const span = beginSpan(this.tracer, operation, name, dialect.name);
    return {
      run: (run) => (span === undefined ? run() : span.run(run)),
      end: (ending) => {
        this.#ended(operation, ending, (clock.monotonic() - startedAt) / 1_000);
        span?.end(ending);
      },
    };
  }

  record(event: InstrumentationEvent): void {
    if (event.type === 'refused') this.#count('requests', event.code);
    if (event.type === 'recalled') this.#count('cacheHits', `${event.what} ${event.level}`);
    if (event.type === 'joined') this.#count('joined', event.flight);
    if (event.type === 'store failed') this.#count('storeErrors', event.operation);
  }

  leave(): void {
    this.#subscription.unsubscribe();
  }

  #ended(operation: Operation, { outcome }: SpanEnd, seconds: number): void {
    const { name: instance, dialect } = this.instance.options;
    if (operation.type === 'login') this.#count('logins', outcome);
    if (operation.type === 'verify') {
      this.#count('requests', outcome === 'ok' ? 'admitted' : outcome);
      this.instruments.record('verification', seconds, attributes({ instance, outcome }));
    }
    if (operation.type !== 'ask upstream') return;
    const purpose = operation.purpose.replaceAll(' ', '_');
    const about = { instance, dialect: dialect.name, operation: operation.operation, purpose, outcome };
    this.instruments.record('upstream', seconds, attributes(about));
  }

  #onTokenEvent(event: TokenEvent): void {
    if (event.type === 'rejected') this.#count('rejections');
    else if (event.type === 'refresh-failed') this.#count('renewals', event.code);
    else if (event.type !== 'expired') this.#count('renewals', event.type);
    // A token that expires while no one needs it is not a loss.
    else if (event.failures > 0) this.#count('expirations');
    if (!('leadMs' in event) || event.leadMs === undefined) return;
    this.instruments.record('lead', event.leadMs / 1_000, attributes({ instance: this.instance.options.name }));
  }

  #onAuditEvent(event: AuditEvent): void {
    if (event.type === 'denied') this.#count('denials');
    if (event.type === 'locked-out') this.#count('attemptsRefused', event.limit);
  }

  #count(metric: CounterName, what = ''): void {
    const counts = this.#counts.get(metric);
    counts?.set(what, (counts.get(what) ?? 0) + 1);
  }

  #read(observe: Observe): void {
    const { options, tokens, recalls } = this.instance;
    const { store, usableForMs, failures } = tokens.status();
    const { credentials, sessions, rereads } = recalls();
    const ours = attributes({ instance: options.name });
    const has = { account: options.credentials !== undefined, store: store !== undefined };
    const countedElsewhere: Partial<Record<string, Readonly<Record<string, number>>>> = {
      requests: { admitted: credentials + sessions },
      cacheHits: {
        'credentials memory': credentials,
        'session memory': sessions - rereads,
        'session shared': rereads,
      },
      storeUnreadable: { '': store?.unreadable ?? 0 },
    };
    for (const [name, { by = [], onlyWith }] of Object.entries<CounterMetric>(COUNTERS)) {
      if (onlyWith !== undefined && !has[onlyWith]) continue;
      for (const [what, count] of this.#counts.get(name) ?? []) {
        const values = what.split(' ');
        const described = attributes(Object.fromEntries(by.map((attribute, i) => [attribute, values[i]])));
        observe(name as CounterName, count + (countedElsewhere[name]?.[what] ?? 0), { ...ours, ...described });
      }
    }
    observe('waiting', this.instance.waiting(), ours);
    if (has.account) observe('validity', usableForMs / 1_000, ours);
    if (has.account) observe('failures', failures, ours);
    if (store !== undefined) observe('storeAvailable', store.state === 'ready' ? 1 : 0, ours);
  }
}
