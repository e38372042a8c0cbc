import type { Operation, SpanEnd, InstrumentationEvent } from '../../core/instrumentation.js';
import type { AuditEvent } from '../../core/audit-events.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import type { Observe } from './instruments.js';
import { COUNTERS, type CounterMetric } from './metrics.js';

type CounterName = keyof typeof COUNTERS;

/** The counts of one instance since its start, in plain numbers that are read at collection. */
export class InstanceCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(private readonly instance: Pick<XPayInstance, 'options' | 'tokens' | 'recalls'>) {
    for (const [name, { values = [''] }] of Object.entries<CounterMetric>(COUNTERS)) {
      this.#counts.set(name, new Map(values.map((value) => [value, 0])));
    }
  }

  ended({ type }: Operation, { outcome }: SpanEnd): void {
    if (type === 'verify') this.#add('requests', outcome === 'ok' ? 'admitted' : outcome);
    if (type === 'login') this.#add('logins', outcome);
  }

  note(fact: InstrumentationEvent): void {
    if (fact.type === 'refused') this.#add('requests', fact.code);
    if (fact.type === 'recalled') this.#add('cacheHits', `${fact.what} ${fact.level}`);
    if (fact.type === 'joined') this.#add('joined', fact.flight);
    if (fact.type === 'store failed') this.#add('storeErrors', fact.operation);
  }

  onTokenEvent(event: TokenEvent): void {
    if (event.type === 'rejected') this.#add('rejections');
    else if (event.type === 'refresh-failed') this.#add('renewals', event.code);
    else if (event.type !== 'expired') this.#add('renewals', event.type);
    // A token that expires while no one needs it is not a loss.
    else if (event.failures > 0) this.#add('expirations');
  }

  onAuditEvent(event: AuditEvent): void {
    if (event.type === 'denied') this.#add('denials');
    if (event.type === 'locked-out') this.#add('attemptsRefused', event.limit);
  }

  read(observe: Observe): void {
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
    if (has.account) observe('validity', usableForMs / 1_000, ours);
    if (has.account) observe('failures', failures, ours);
    if (store !== undefined) observe('storeAvailable', store.state === 'ready' ? 1 : 0, ours);
  }

  #add(metric: CounterName, what = ''): void {
    const counts = this.#counts.get(metric);
    counts?.set(what, (counts.get(what) ?? 0) + 1);
  }
}
