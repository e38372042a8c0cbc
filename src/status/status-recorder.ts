import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import {
  type AuditEvent,
  type TokenEvent,
  type TokenStatus,
  XPayAuditService,
  XPaySessionService,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { XPayHealthIndicator } from 'nestjs-xpay-auth/terminus';
import { Subject, Subscription } from 'rxjs';
import { type Row, RecentRows, auditRow, tokenRow } from './recent-rows.js';
import { type Sample, StatusMeter } from './status-meter.js';

/** The demo traffic, which the page switches on and off. */
export interface Traffic {
  readonly isRunning: boolean;
  start(): void;
  stop(): void;
}

/** Injection token of the {@link Traffic}. `undefined` outside demo mode. */
export const TRAFFIC = Symbol('TRAFFIC');

/** The app token on the page. Times are in ms since the epoch, by the clock of this process. */
interface TokenView extends Omit<TokenStatus, 'store'> {
  /** Time at which the token arrived, and the ends of its fresh part, its stale part and its lifetime. `undefined` without a token. */
  readonly parts?: {
    readonly from: number;
    readonly freshUntil: number;
    readonly usableUntil: number;
    readonly to: number;
  };
}

/** The state of the app at one moment. Contains no secret. */
export interface Frame {
  /** `snapshot`: replaces all that the page has. `update`: adds samples and rows to it. */
  readonly type: 'snapshot' | 'update';
  /** Time of the frame in ms since the epoch. */
  readonly at: number;
  readonly health: { readonly status: string; readonly reasons: readonly string[] };
  /** `null` if the app has no account, and therefore no token. */
  readonly token: TokenView | null;
  /** Number of sessions in the memory of this process. */
  readonly sessions: number;
  /** `null` if the app has no shared store. */
  readonly store: TokenStatus['store'] | null;
  /** Whether the demo traffic runs. `null` outside demo mode. */
  readonly traffic: boolean | null;
  readonly samples: readonly Sample[];
  readonly tokenEvents: readonly Row[];
  readonly audit: readonly Row[];
}

const PERIOD_MS = 1_000;
/** Ten minutes. */
const MOST_SAMPLES = 600;
const MOST_TOKEN_EVENTS = 50;
const MOST_AUDIT_EVENTS = 200;
/** The number of sessions is counted at most this often, because counting visits each of them. */
const SESSIONS_COUNTED_EVERY_MS = 5_000;

/**
 * Keeps the last ten minutes for the status page in bounded memory. Reads only state and counts of this process, and never calls
 * the upstream or the store.
 */
@Injectable()
export class StatusRecorder implements OnModuleInit, OnModuleDestroy {
  /** One update per second. */
  readonly updates = new Subject<Frame>();
  readonly #samples: Sample[] = [];
  readonly #tokenEvents = new RecentRows(MOST_TOKEN_EVENTS);
  readonly #audit = new RecentRows(MOST_AUDIT_EVENTS);
  readonly #subscription = new Subscription();
  #life: { readonly from: number; readonly to: number; freshUntil?: number; usableUntil?: number } | undefined;
  #sessions = { count: 0, countedAt: 0 };

  constructor(
    private readonly meter: StatusMeter,
    private readonly tokens: XPayTokenService,
    private readonly sessions: XPaySessionService,
    private readonly health: XPayHealthIndicator,
    audit: XPayAuditService,
    @Inject(TRAFFIC) private readonly traffic: Traffic | undefined,
  ) {
    this.#subscription.add(tokens.events.subscribe((event) => this.#onTokenEvent(event)));
    this.#subscription.add(audit.events.subscribe((event) => this.#onAuditEvent(event)));
  }

  onModuleInit(): void {
    let isReading = false;
    const timer = setInterval(() => {
      if (isReading) return;
      isReading = true;
      void this.#read()
        .catch((thrown: unknown) => new Logger('Status').error(`A sample could not be read: ${String(thrown)}`))
        .finally(() => (isReading = false));
    }, PERIOD_MS).unref();
    this.#subscription.add(() => clearInterval(timer));
  }

  onModuleDestroy(): void {
    this.#subscription.unsubscribe();
    this.updates.complete();
  }

  /** Returns all that is kept, except the events after the last update. */
  snapshot(): Frame {
    return this.#frame('snapshot', this.#samples, this.#tokenEvents.taken(), this.#audit.taken());
  }

  async #read(): Promise<void> {
    const sample = await this.meter.read();
    this.#samples.push(sample);
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
    const [tokenEvents, audit] = [this.#tokenEvents.takeNew(), this.#audit.takeNew()];
    this.#tokenView(this.tokens.status());
    if (this.updates.observed) this.updates.next(this.#frame('update', [sample], tokenEvents, audit));
  }

  #frame(type: Frame['type'], samples: readonly Sample[], tokenEvents: readonly Row[], audit: readonly Row[]): Frame {
    const at = Date.now();
    const { status, reasons, token, store } = this.health.check().xpay;
    if (Math.abs(at - this.#sessions.countedAt) >= SESSIONS_COUNTED_EVERY_MS) {
      this.#sessions = { count: this.sessions.count(), countedAt: at };
    }
    return {
      type,
      at,
      health: { status, reasons },
      token: token === undefined ? null : this.#tokenView(token),
      sessions: this.#sessions.count,
      store: store ?? null,
      traffic: this.traffic?.isRunning ?? null,
      samples,
      tokenEvents,
      audit,
    };
  }

  #tokenView(token: Omit<TokenStatus, 'store'>): TokenView {
    const { state, usableForMs, nextRefreshAt } = token;
    const life = this.#life;
    if (life === undefined || state === 'none') return token;
    const now = Date.now();
    // After a failed renewal `nextRefreshAt` is the end of the backoff, so the first value is kept.
    life.freshUntil ??= Math.min(state === 'fresh' ? (nextRefreshAt ?? life.to) : now, life.to);
    life.usableUntil ??= Math.min(now + usableForMs, life.to);
    const { from, freshUntil, usableUntil, to } = life;
    return { ...token, parts: { from, freshUntil: Math.min(freshUntil, usableUntil), usableUntil, to } };
  }

  #onTokenEvent(event: TokenEvent): void {
    this.#tokenEvents.add(tokenRow(event));
    if (event.type === 'rejected') this.#life = undefined;
    if ('lifeMs' in event) this.#life = { from: Date.now(), to: Date.now() + event.lifeMs };
  }

  #onAuditEvent(event: AuditEvent): void {
    this.#audit.add(auditRow(event));
    if (event.type === 'revoked') this.#sessions.countedAt = 0;
  }
}
