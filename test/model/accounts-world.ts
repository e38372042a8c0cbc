import { type AccessToken, type Credentials, XPayAuthError } from 'nestjs-xpay-auth';
import { hardMargin } from '../../libs/xpay-auth/src/core/lifetime.js';
import type { Accounts } from '../../libs/xpay-auth/src/token/accounts.js';
import { testAccounts } from '../support/token-source.js';
import { ModelClock, settle } from './model-clock.js';
import { type World, outcomeOf } from './model-run.js';
import { ModelStore } from './model-store.js';
import { ModelUpstream, type ModelUpstreamSetting } from './model-upstream.js';
import { ProcessGate } from './process-gate.js';

export interface AccountsSetting extends ModelUpstreamSetting {
  readonly instances: number;
  readonly shared: boolean;
  readonly maxEntries: number;
}

export const IDS = ['a', 'b', 'c', 'd'] as const;

/** One process of the app. */
interface Process {
  readonly number: number;
  readonly accounts: Accounts;
  readonly gate: ProcessGate;
  /** Tokens rejected here. */
  readonly rejected: Set<string>;
  /** Callers without a response so far. */
  readonly waiting: Set<symbol>;
}

class LeftError extends Error {}

const usernameOf = (id: string): string => `user-of-${id}`;

/** Instances of an app with several accounts, of which only some tokens are in memory, and an upstream whose state is known. */
export class AccountsWorld implements World {
  steps = 0;
  readonly clock = new ModelClock();
  readonly store = new ModelStore(this.clock);
  readonly upstream: ModelUpstream;
  /** The credentials that the app reads. An id without credentials is unknown. */
  readonly #known = new Map<string, Credentials>();
  /** Ids that were unknown at some time. */
  readonly #removed = new Set<string>();
  #keys = 0;
  #processes = 0;
  readonly #instances: Process[] = [];
  readonly #violations: string[] = [];

  constructor(private readonly setting: AccountsSetting) {
    this.upstream = new ModelUpstream(this.clock, setting, () => (setting.shared ? this.store.calmSince : undefined));
    for (const id of IDS) this.rotate(id, 'both');
    for (let slot = 0; slot < setting.instances; slot++) this.#instances.push(this.#boot());
  }

  /** This number of callers request a token at once. `leaves`: the first of them aborts. */
  async get(slot: number, id: string, callers: number, leaves: boolean): Promise<void> {
    const leaving = leaves ? new AbortController() : undefined;
    for (let caller = 0; caller < callers; caller++) {
      const process = this.#at(slot);
      const first = caller === 0 ? leaving : undefined;
      void this.#follow(process, id, process.accounts.of(id).get(first?.signal), first !== undefined);
    }
    leaving?.abort(new LeftError());
    await settle();
  }

  async refresh(slot: number, id: string): Promise<void> {
    const process = this.#at(slot);
    void this.#follow(process, id, process.accounts.of(id).refresh(), false);
    await settle();
  }

  /** The API rejects the token of this account. `late`: other accounts are used before the app reports the rejection. */
  async reject(slot: number, id: string, late: boolean): Promise<void> {
    const process = this.#at(slot);
    const token = process.accounts.of(id).peek();
    if (token === undefined) return;
    if (late) for (const other of IDS) if (other !== id) await this.get(slot, other, 1, false);
    process.accounts.of(id).invalidate(token);
    // A token that was replaced meanwhile is not the current one, so that its rejection has no effect.
    if (process.accounts.of(id).peek() === undefined) process.rejected.add(token.value);
    await settle();
  }

  /** The account gets another key: at the upstream, where the app reads it, or both. */
  rotate(id: string, where: 'both' | 'upstream' | 'app'): void {
    const [username, secretKey] = [usernameOf(id), `key-${++this.#keys}`];
    if (where !== 'upstream') this.#known.set(id, { username, secretKey });
    if (where !== 'app') this.upstream.accounts.set(username, { secretKey, scopes: [] });
  }

  /** The app no longer knows the account. */
  remove(id: string): void {
    this.#removed.add(id);
    this.#known.delete(id);
  }

  /** A process shuts down or dies, and another replaces it. */
  async restart(slot: number, dies: boolean): Promise<void> {
    const { accounts, gate, number } = this.#at(slot);
    if (dies) {
      gate.die();
      for (const id of IDS) this.upstream.forget(flightsOf(number, id));
    } else accounts.stop();
    await settle();
    this.#instances[slot % this.#instances.length] = this.#boot();
  }

  stepWall(ms: number): void {
    this.clock.stepWall(ms);
  }

  check(): void {
    const [violation] = [...this.#violations, ...this.upstream.violations, ...this.store.violations];
    if (violation !== undefined) throw new Error(violation);
  }

  async finale(): Promise<void> {
    this.upstream.mood = 'grants';
    this.store.turn('well');
    for (const id of IDS) this.rotate(id, 'both');
    for (let rest = this.upstream.flights.size; rest > 0; rest--) this.upstream.release(0);
    this.upstream.answerLate();
    // Longer than any backoff, and than the lease of a process that has died.
    await this.clock.advance(150_000);
    for (const process of this.#instances) {
      if (process.waiting.size > 0) throw new Error(`${process.waiting.size} callers never received a response`);
      for (const id of [...IDS, ...IDS]) this.#judge(await process.accounts.of(id).get(), id, process);
    }
    this.check();
  }

  close(): void {
    for (const { accounts } of this.#instances) accounts.stop();
  }

  /** A caller, and the allowed outcomes. */
  async #follow(process: Process, id: string, asked: Promise<AccessToken>, leaves: boolean): Promise<void> {
    const { gate, waiting } = process;
    const caller = Symbol('caller');
    waiting.add(caller);
    const outcome = await outcomeOf(asked);
    // A dead process receives no responses.
    if (gate.isDead) return;
    waiting.delete(caller);
    if ('value' in outcome) return this.#judge(outcome.value, id, process);
    const { failure } = outcome;
    if (failure instanceof LeftError && leaves) return;
    if (!(failure instanceof XPayAuthError)) this.#violations.push(`an unexpected failure: ${String(failure)}`);
    else if (failure.code === 'unknown_account' && this.#removed.has(id)) return;
    else if (failure.trouble === 'caller') this.#violations.push(`an outbound failure with the code ${failure.code}`);
  }

  /** Of this account, neither rejected here nor past its true margin. */
  #judge({ value }: AccessToken, id: string, { rejected }: Process): void {
    const mono = this.clock.monotonic();
    if (!value.startsWith(`${usernameOf(id)}-`)) this.#violations.push(`account ${id} gets the token ${value}`);
    if (rejected.has(value)) this.#violations.push(`a rejected token of ${id} is handed out`);
    const minted = this.upstream.minted.get(value);
    if (minted === undefined) return void this.#violations.push('a token that the upstream did not issue');
    const { expiresAt, arrivedAt } = minted;
    if (mono >= expiresAt - hardMargin(expiresAt - arrivedAt)) {
      this.#violations.push(`a token is handed out ${mono - expiresAt} ms after its end, less its margin`);
    }
  }

  #at(slot: number): Process {
    const process = this.#instances[slot % this.#instances.length];
    if (process === undefined) throw new Error('a model has instances');
    return process;
  }

  #boot(): Process {
    const gate = new ProcessGate();
    const number = ++this.#processes;
    const { upstream, setting } = this;
    const accounts = testAccounts({
      clock: gate.clock(this.clock),
      store: setting.shared ? gate.store(this.store) : undefined,
      maxEntries: setting.maxEntries,
      emit: ({ account }) => {
        if (!IDS.some((id) => id === account)) this.#violations.push(`an event of account ${account}`);
      },
      credentials: (id) => Promise.resolve(this.#known.get(id)),
      authenticate: (credentials, signal) => {
        const { username, secretKey } = credentials;
        const flights = flightsOf(number, username.slice(usernameOf('').length));
        return upstream.ask(flights, `own ${username} ${secretKey}`, signal, () => upstream.check(credentials));
      },
      refresh: undefined,
    });
    return { number, accounts, gate, rejected: new Set(), waiting: new Set() };
  }
}

/** The model of the upstream allows one call at a time under this number. */
function flightsOf(process: number, id: string): number {
  return process * 100 + IDS.findIndex((one) => one === id);
}
