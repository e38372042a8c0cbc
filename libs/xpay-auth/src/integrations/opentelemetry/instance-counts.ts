import type { Attributes } from '@opentelemetry/api';
import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import {
  type Operation,
  type SpanEnd,
  type InstrumentationEvent,
  STORE_OPERATIONS,
} from '../../core/instrumentation.js';
import type { AuditEvent } from '../../core/audit-events.js';
import type { TokenEvent } from '../../core/token-events.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { attributes } from './attributes.js';
import type { MetricName, Observe } from './instruments.js';
import { Counter } from './counter.js';

const CODES = Object.keys(FAILURES) as XPayAuthErrorCode[];
/** How the check of a caller may fail. */
const INBOUND = CODES.filter((code) => code !== 'insufficient_scope' && code !== 'credentials_rejected');
/** How a renewal of the own token may fail. */
const OUTBOUND = CODES.filter((code) => FAILURES[code].trouble !== 'caller');
const LIMITS = ['perUserAndAddress', 'perAddress', 'perUser'];

type Facts = Pick<XPayInstance, 'options' | 'tokens' | 'recalls'>;

/** What one instance has done so far, in plain numbers that are read when somebody collects. */
export class InstanceCounts {
  readonly #requests = this.#tally('outcome', ['admitted', ...INBOUND]);
  readonly #logins = this.#tally('outcome', ['ok', ...INBOUND]);
  readonly #renewals = this.#tally('outcome', ['obtained', 'refreshed', 'adopted', ...OUTBOUND]);
  readonly #attempts = this.#tally('limit', LIMITS);
  readonly #joined = this.#tally('flight', ['token', 'verification', 'session']);
  readonly #storeErrors = this.#tally('storeOperation', STORE_OPERATIONS);
  readonly #hits = new Counter(
    ['credentials memory', 'credentials shared', 'credentials stale', 'session memory', 'session shared'],
    (what) => {
      const [cache, level] = what.split(' ');
      return attributes({ instance: this.instance.options.name, cache, level });
    },
  );
  #denials = 0;
  #rejections = 0;
  #expirations = 0;

  constructor(private readonly instance: Facts) {}

  ended({ type }: Operation, { outcome }: SpanEnd): void {
    if (type === 'verify') this.#requests.add(outcome === 'ok' ? 'admitted' : outcome);
    if (type === 'login') this.#logins.add(outcome);
  }

  note(fact: InstrumentationEvent): void {
    if (fact.type === 'refused') this.#requests.add(fact.code);
    if (fact.type === 'recalled') this.#hits.add(`${fact.what} ${fact.level}`);
    if (fact.type === 'joined') this.#joined.add(fact.flight);
    if (fact.type === 'store failed') this.#storeErrors.add(fact.operation);
  }

  heardOfToken(event: TokenEvent): void {
    if (event.type === 'rejected') this.#rejections++;
    else if (event.type === 'refresh-failed') this.#renewals.add(event.code);
    else if (event.type !== 'expired') this.#renewals.add(event.type);
    // One that ran out while nobody wanted it is no loss.
    else if (event.failures > 0) this.#expirations++;
  }

  heardOfCaller(event: AuditEvent): void {
    if (event.type === 'denied') this.#denials++;
    if (event.type === 'locked-out') this.#attempts.add(event.limit);
  }

  read(observe: Observe): void {
    const to = (metric: MetricName) => (value: number, described: Attributes) => observe(metric, value, described);
    const { credentials, sessions, rereads } = this.instance.recalls();
    const fromMemory = sessions - rereads;
    this.#requests.read(to('requests'), { admitted: credentials + sessions });
    this.#hits.read(to('cacheHits'), {
      'credentials memory': credentials,
      'session memory': fromMemory,
      'session shared': rereads,
    });
    this.#logins.read(to('logins'));
    this.#attempts.read(to('attemptsRefused'));
    this.#joined.read(to('joined'));
    const ours = attributes({ instance: this.instance.options.name });
    observe('denials', this.#denials, ours);
    const { store, usableForMs, failures } = this.instance.tokens.status();
    if (this.instance.options.credentials !== undefined) {
      this.#renewals.read(to('renewals'));
      observe('rejections', this.#rejections, ours);
      observe('expirations', this.#expirations, ours);
      observe('validity', usableForMs / 1_000, ours);
      observe('failures', failures, ours);
    }
    if (store === undefined) return;
    this.#storeErrors.read(to('storeErrors'));
    observe('storeAvailable', store.state === 'ready' ? 1 : 0, ours);
    observe('storeUnreadable', store.unreadable, ours);
  }

  #tally(attribute: 'outcome' | 'limit' | 'flight' | 'storeOperation', expected: readonly string[]): Counter {
    return new Counter(expected, (what) => attributes({ instance: this.instance.options.name, [attribute]: what }));
  }
}
