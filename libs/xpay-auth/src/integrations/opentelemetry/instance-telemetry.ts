import type { Attributes, BatchObservableResult, Tracer } from '@opentelemetry/api';
import { Subscription } from 'rxjs';
import type { AuditEvent } from '../../core/audit-events.js';
import type { InstrumentationEvent, Observer, Operation, Span, SpanEnd } from '../../core/instrumentation.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { beginSpan } from './instance-spans.js';
import { COUNTERS, type CounterMetric, type HISTOGRAMS, type Instruments, type ObservedName } from './metrics.js';

type CounterName = keyof typeof COUNTERS;

/** Turns the activity of one instance into spans, durations and counts. */
export class InstanceTelemetry implements Observer {
  /** The counts since the start, in plain numbers that are read at collection. */
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #subscription = new Subscription();
  readonly #ours: Attributes;

  constructor(
    private readonly instance: XPayInstance,
    private readonly tracer: Tracer,
    private readonly instruments: Instruments,
  ) {
    this.#ours = { 'xpay_auth.instance': instance.options.name };
    for (const [name, { values = [''] }] of Object.entries<CounterMetric>(COUNTERS)) {
      this.#counts.set(name, new Map(values.map((value) => [value, 0])));
    }
    this.#subscription.add(instance.instrumentation.attach(this));
    this.#subscription.add(instance.tokens.events.subscribe((event) => this.#onTokenEvent(event)));
    this.#subscription.add(instance.auditing.events.subscribe((event) => this.#onAuditEvent(event)));
    const observables = [...instruments.observables.values()];
    const read = (result: BatchObservableResult): void => this.#read(result);
    instruments.meter.addBatchObservableCallback(read, observables);
    this.#subscription.add(() => instruments.meter.removeBatchObservableCallback(read, observables));
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
    if (event.type === 'refused') this.#count('xpay_auth.requests', event.code);
    if (event.type === 'recalled') this.#count('xpay_auth.cache.hits', `${event.what} ${event.level}`);
    if (event.type === 'joined') this.#count('xpay_auth.flights.joined', event.flight);
    if (event.type === 'store failed') this.#count('xpay_auth.store.errors', event.operation);
  }

  leave(): void {
    this.#subscription.unsubscribe();
  }

  #ended(operation: Operation, { outcome }: SpanEnd, seconds: number): void {
    const attributes = { ...this.#ours, 'xpay_auth.outcome': outcome };
    if (operation.type === 'login') this.#count('xpay_auth.logins', outcome);
    if (operation.type === 'verify') {
      this.#count('xpay_auth.requests', outcome === 'ok' ? 'admitted' : outcome);
      this.#record('xpay_auth.verification.duration', seconds, attributes);
    }
    if (operation.type !== 'ask upstream') return;
    this.#record('xpay_auth.upstream.duration', seconds, {
      ...attributes,
      'xpay_auth.dialect': this.instance.options.dialect.name,
      'xpay_auth.operation': operation.operation,
      'xpay_auth.purpose': operation.purpose.replaceAll(' ', '_'),
    });
  }

  #onTokenEvent(event: TokenEvent): void {
    if (event.type === 'rejected') this.#count('xpay_auth.token.rejections');
    else if (event.type === 'refresh-failed') this.#count('xpay_auth.token.renewals', event.code);
    else if (event.type !== 'expired') this.#count('xpay_auth.token.renewals', event.type);
    // A token that expires unused is normal. Only one that could not be renewed is counted.
    else if (event.failures > 0) this.#count('xpay_auth.token.expirations');
    if (!('leadMs' in event) || event.leadMs === undefined) return;
    this.#record('xpay_auth.token.renewal.lead_time', event.leadMs / 1_000, this.#ours);
  }

  #onAuditEvent(event: AuditEvent): void {
    if (event.type === 'denied') this.#count('xpay_auth.denials');
    if (event.type === 'locked-out') this.#count('xpay_auth.attempts.refused', event.limit);
  }

  #count(metric: CounterName, what = ''): void {
    const counts = this.#counts.get(metric);
    counts?.set(what, (counts.get(what) ?? 0) + 1);
  }

  #record(metric: keyof typeof HISTOGRAMS, value: number, attributes: Attributes): void {
    this.instruments.histograms.get(metric)?.record(value, attributes);
  }

  #read(result: BatchObservableResult): void {
    const observe = (metric: ObservedName, value: number, attributes = this.#ours): void => {
      const instrument = this.instruments.observables.get(metric);
      if (instrument !== undefined) result.observe(instrument, value, attributes);
    };
    const { options, tokens, sessionCache, verifier } = this.instance;
    const { store, usableForMs, failures } = tokens.status();
    const { hits, rereads } = sessionCache;
    const hasAppAccount = options.credentials !== undefined;
    const has = { account: hasAppAccount || options.accounts !== undefined, store: store !== undefined };
    const countedElsewhere: Partial<Record<string, Readonly<Record<string, number>>>> = {
      'xpay_auth.requests': { admitted: verifier.hits + hits },
      'xpay_auth.cache.hits': {
        'credentials memory': verifier.hits,
        'session memory': hits - rereads,
        'session shared': rereads,
      },
      'xpay_auth.store.unreadable': { '': store?.unreadable ?? 0 },
    };
    for (const [name, { by = [], onlyWith }] of Object.entries<CounterMetric>(COUNTERS)) {
      if (onlyWith !== undefined && !has[onlyWith]) continue;
      for (const [what, count] of this.#counts.get(name) ?? []) {
        const values = what.split(' ');
        const described = Object.fromEntries(by.map((attribute, i) => [attribute, values[i]]));
        observe(name as CounterName, count + (countedElsewhere[name]?.[what] ?? 0), { ...this.#ours, ...described });
      }
    }
    observe('xpay_auth.verification.waiting', verifier.waiting);
    if (hasAppAccount) observe('xpay_auth.token.validity', usableForMs / 1_000);
    if (hasAppAccount) observe('xpay_auth.token.failures', failures);
    if (store !== undefined) observe('xpay_auth.store.available', store.state === 'ready' ? 1 : 0);
  }
}
