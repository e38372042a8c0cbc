import { type AccessToken, XPayAuthError } from 'nestjs-xpay-auth';
import { hardMargin } from '../../libs/xpay-auth/src/core/lifetime.js';
import type { CachedToken } from '../../libs/xpay-auth/src/token/cached-token.js';
import { testTokenSource } from '../support/token-source.js';
import { ModelClock, settle } from './model-clock.js';
import { type World, outcomeOf } from './model-run.js';
import { ModelStore } from './model-store.js';
import { type Minted, ModelUpstream, type ModelUpstreamSetting } from './model-upstream.js';
import { ProcessGate } from './process-gate.js';

export interface OutboundSetting extends ModelUpstreamSetting {
  readonly instances: number;
  readonly shared: boolean;
}

const APP = 'app';
/** One process of the app. */
interface Process {
  readonly number: number;
  readonly source: CachedToken;
  readonly gate: ProcessGate;
  /** Tokens rejected here. */
  readonly rejected: Set<string>;
  /** Callers without a response so far. */
  readonly waiting: Set<symbol>;
  /** The last token that was seen in the process. */
  newest: Minted | undefined;
}

interface Caller {
  /** Whether the caller may get a failure although a good token is cached. */
  readonly mayFail: boolean;
  readonly leaving?: AbortController | undefined;
}

class LeftError extends Error {}

/** Instances of an app that cache a token, an upstream whose state is known, and optionally a store between them. */
export class OutboundWorld implements World {
  steps = 0;
  readonly clock = new ModelClock();
  readonly store = new ModelStore(this.clock);
  readonly upstream: ModelUpstream;
  /** The key that the app reads as its own. */
  #key = 'key-0';
  #keys = 0;
  #processes = 0;
  readonly #instances: Process[] = [];
  readonly #violations: string[] = [];

  constructor(private readonly setting: OutboundSetting) {
    this.upstream = new ModelUpstream(this.clock, setting, () => (setting.shared ? this.store.calmSince : undefined));
    this.upstream.accounts.set(APP, { secretKey: this.#key, scopes: [] });
    for (let slot = 0; slot < setting.instances; slot++) this.#instances.push(this.#boot());
  }

  /** This number of callers request a token at once. `leaves`: the first of them aborts. */
  async get(slot: number, callers: number, leaves: boolean): Promise<void> {
    const { source } = this.#at(slot);
    const leaving = leaves ? new AbortController() : undefined;
    for (let caller = 0; caller < callers; caller++) {
      const first = caller === 0 ? leaving : undefined;
      void this.#follow(this.#at(slot), source.get(first?.signal), { mayFail: false, leaving: first });
    }
    leaving?.abort(new LeftError());
    await settle();
  }

  async refresh(slot: number): Promise<void> {
    void this.#follow(this.#at(slot), this.#at(slot).source.refresh(), { mayFail: true });
    await settle();
  }

  /** The API rejects the token of this instance. In a cluster without faults, no instance uses it afterwards. */
  async reject(slot: number): Promise<void> {
    const { source, rejected } = this.#at(slot);
    const token = source.peek();
    if (token === undefined) return;
    source.invalidate(token);
    rejected.add(token.value);
    await settle();
    if (!this.setting.shared || this.store.calmSince === undefined || this.setting.equalTokens) return;
    const others = this.#instances.filter((other) => other.source.peek()?.value === token.value);
    if (others.length > 0) this.#violations.push('another instance uses a token that was rejected');
  }

  /** The account gets another key: at the upstream, where the app reads it, or both. */
  rotate(where: 'both' | 'upstream' | 'app'): void {
    const key = `key-${++this.#keys}`;
    if (where !== 'upstream') this.#key = key;
    if (where !== 'app') this.upstream.accounts.set(APP, { secretKey: key, scopes: [] });
  }

  /** A process shuts down or dies, and another replaces it. */
  async restart(slot: number, dies: boolean): Promise<void> {
    const { source, gate, number } = this.#at(slot);
    if (dies) {
      gate.die();
      this.upstream.forget(number);
    } else source.stop();
    await settle();
    this.#instances[slot % this.#instances.length] = this.#boot();
  }

  stepWall(ms: number): void {
    this.clock.stepWall(ms);
  }

  check(): void {
    const mono = this.clock.monotonic();
    for (const process of this.#instances) {
      const token = process.source.peek();
      if (token !== undefined) this.#judge(token, process, mono);
      if (token !== undefined) this.#mustNotAge(token, process);
    }
    const [violation] = [...this.#violations, ...this.upstream.violations, ...this.store.violations];
    if (violation !== undefined) throw new Error(violation);
  }

  async finale(): Promise<void> {
    this.upstream.mood = 'grants';
    this.store.turn('well');
    this.upstream.accounts.set(APP, { secretKey: this.#key, scopes: [] });
    for (let rest = this.upstream.flights.size; rest > 0; rest--) this.upstream.release(0);
    this.upstream.answerLate();
    // Longer than any backoff, and than the lease of a process that has died.
    await this.clock.advance(150_000);
    for (const { waiting } of this.#instances) {
      if (waiting.size > 0) throw new Error(`${waiting.size} callers never received a response`);
    }
    for (const process of this.#instances) this.#judge(await process.source.get(), process, this.clock.monotonic());
    this.check();
  }

  close(): void {
    for (const { source } of this.#instances) source.stop();
  }

  /** A caller, and the allowed outcomes. */
  async #follow(process: Process, asked: Promise<AccessToken>, { mayFail, leaving }: Caller): Promise<void> {
    const { source, gate, waiting } = process;
    const atHand = source.peek();
    const caller = Symbol('caller');
    waiting.add(caller);
    const brought = (token: AccessToken): void => {
      // A token that was cached at the time of the call was returned at once, and checked then.
      if (token.value !== atHand?.value) this.#judge(token, process, this.clock.monotonic());
    };
    const failed = (failure: unknown): void => {
      if (failure instanceof LeftError && leaving !== undefined) return;
      if (!(failure instanceof XPayAuthError)) this.#violations.push(`an unexpected failure: ${String(failure)}`);
      else if (failure.trouble === 'caller') this.#violations.push(`an outbound failure with the code ${failure.code}`);
      if (atHand !== undefined && !mayFail) this.#violations.push('a caller failed although a good token was cached');
    };
    const outcome = await outcomeOf(asked);
    // A dead process receives no responses.
    if (gate.isDead) return;
    waiting.delete(caller);
    if ('value' in outcome) brought(outcome.value);
    else failed(outcome.failure);
  }

  /** Neither rejected here nor past its true margin. */
  #judge(token: AccessToken, { rejected }: Process, mono: number): void {
    if (rejected.has(token.value)) this.#violations.push('a rejected token is handed out');
    const minted = this.upstream.minted.get(token.value);
    if (minted === undefined) return void this.#violations.push('a token that the upstream did not issue');
    const { expiresAt, arrivedAt } = minted;
    if (mono >= expiresAt - hardMargin(expiresAt - arrivedAt)) {
      this.#violations.push(`a token is handed out ${mono - expiresAt} ms after its end, less its margin`);
    }
  }

  /** An older token never replaces a newer one. Instances that could not communicate may differ in the newest token. */
  #mustNotAge(token: AccessToken, process: Process): void {
    const minted = this.upstream.minted.get(token.value);
    const { newest } = process;
    process.newest = minted;
    if (minted === undefined || newest === undefined || minted.order >= newest.order) return;
    const calm = this.setting.shared ? this.store.calmSince : 'always';
    const couldAgree = [minted, newest].every(({ calmSince }) => calm === 'always' || calmSince === calm);
    if (couldAgree && calm !== undefined) this.#violations.push('an older token replaces a newer one');
  }

  #at(slot: number): Process {
    const process = this.#instances[slot % this.#instances.length];
    if (process === undefined) throw new Error('a model has instances');
    return process;
  }

  #boot(): Process {
    const gate = new ProcessGate();
    const number = ++this.#processes;
    const clock = gate.clock(this.clock);
    const { upstream, setting } = this;
    const source = testTokenSource({
      clock,
      store: setting.shared ? gate.store(this.store) : undefined,
      credentials: () => Promise.resolve({ username: APP, secretKey: this.#key }),
      authenticate: (credentials, signal) =>
        upstream.ask(number, `own ${credentials.secretKey}`, signal, () => upstream.check(credentials)),
      refresh: setting.renewable
        ? (_, signal) => upstream.ask(number, 'own refresh', signal, () => upstream.grant(APP))
        : undefined,
    });
    return { number, source, gate, rejected: new Set(), waiting: new Set(), newest: undefined };
  }
}
