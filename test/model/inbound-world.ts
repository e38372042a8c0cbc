import { type Credentials, type Principal, type Store, XPayAuthError } from 'nestjs-xpay-auth';
import { KeyedDigest, SealedCredentials } from '../../libs/xpay-auth/src/core/credentials.js';
import { Instrumentation } from '../../libs/xpay-auth/src/core/instrumentation.js';
import { unlimitedAttempts } from '../../libs/xpay-auth/src/rate-limit/attempts.js';
import { CredentialVerifier } from '../../libs/xpay-auth/src/verification/credential-verifier.js';
import { RevocationLog } from '../../libs/xpay-auth/src/cluster/revocation-log.js';
import { Revocations } from '../../libs/xpay-auth/src/verification/upstream-check.js';
import { type Session, Sessions } from '../../libs/xpay-auth/src/sessions/sessions.js';
import { SharedCredentials } from '../../libs/xpay-auth/src/cluster/shared-credentials.js';
import { SharedSessions } from '../../libs/xpay-auth/src/cluster/shared-sessions.js';
import {
  type Call,
  CallerRecord,
  type Check,
  HEARD_MS,
  type Purpose,
  type Remembered,
  type Revocation,
  isFor,
  sureUntil,
} from './caller-record.js';
import { ModelClock, settle } from './model-clock.js';
import { type World, outcomeOf } from './model-run.js';
import { ModelStore } from './model-store.js';
import { ModelUpstream, type ModelUpstreamSetting } from './model-upstream.js';
import { ProcessGate } from './process-gate.js';

export interface InboundSetting extends ModelUpstreamSetting {
  readonly instances: number;
  readonly shared: boolean;
  readonly share: boolean;
}

export const USERS = ['ada', 'bob'] as const;
const KEYS = ['key-0', 'key-1', 'key-2'] as const;
const PERIOD_MS = 60_000;
const REFUSED_PERIOD_MS = 5_000;
const SESSION_MS = 120_000;
/** Limit on the gain of the wall clock before a cached caller is verified again. */
const MOST_WALL_GAIN_MS = 2_000;

interface Process {
  readonly number: number;
  readonly gate: ProcessGate;
  readonly verifier: CredentialVerifier;
  readonly sessions: Sessions;
  readonly log: RevocationLog | undefined;
  readonly waiting: Set<symbol>;
  readonly remembered: Map<string, Remembered>;
}

/** A session, and its known end. */
interface ModelSession {
  readonly token: string;
  readonly process: number;
  readonly principal: Principal;
  readonly check: Check;
  readonly endsAt: number;
  readonly wallSteps: number;
  readonly calmSince: number | undefined;
  loggedOut: Omit<Revocation, 'username'> | undefined;
}

/**
 * Instances of an app that authenticate callers, an upstream whose state is known, and optionally a store between them.
 */
export class InboundWorld implements World {
  steps = 0;
  readonly clock = new ModelClock();
  readonly store = new ModelStore(this.clock);
  readonly upstream: ModelUpstream;
  readonly #record: CallerRecord;
  readonly #instances: Process[] = [];
  readonly #sessions: ModelSession[] = [];
  readonly #violations: string[] = [];
  #processes = 0;
  #wallSteps = 0;

  constructor(private readonly setting: InboundSetting) {
    this.upstream = new ModelUpstream(this.clock, setting, () => this.#calm());
    this.#record = new CallerRecord({
      periodMs: PERIOD_MS,
      refusedPeriodMs: REFUSED_PERIOD_MS,
      share: setting.share && setting.shared,
    });
    for (const username of USERS) this.upstream.accounts.set(username, { secretKey: KEYS[0], scopes: ['tme_user'] });
    for (let slot = 0; slot < setting.instances; slot++) this.#instances.push(this.#boot());
  }

  /** A caller presents a username and the n-th key. */
  async present(slot: number, username: string, key: number, callers: number): Promise<void> {
    const process = this.#at(slot);
    for (let caller = 0; caller < callers; caller++) {
      const call = this.#call(process, 'verification', username, key);
      const mustLetIn = this.#mustLetIn(process, call);
      const asked = process.verifier.verify(presented('Basic', call));
      void this.#follow(
        process,
        asked,
        (principal) => this.#judgeLetIn(call, principal),
        (failure) => {
          if (mustLetIn) this.#violations.push(`a verified caller is rejected within the period: ${codeOf(failure)}`);
          this.#judgeRefused(call, failure);
        },
      );
    }
    await settle();
  }

  async login(slot: number, username: string, key: number): Promise<void> {
    const process = this.#at(slot);
    const call = this.#call(process, 'login', username, key);
    const calmSince = this.#calm();
    void this.#follow(
      process,
      process.sessions.login(presented('login', call)),
      (session) => this.#began(process, call, session, calmSince),
      (failure) => this.#judgeRefused(call, failure),
    );
    await settle();
  }

  /** A caller uses the n-th session on this instance. */
  async use(slot: number, nth: number): Promise<void> {
    const session = this.#sessions[nth % Math.max(1, this.#sessions.length)];
    if (session === undefined) return;
    const process = this.#at(slot);
    const asked = (async () => process.sessions.verify(session.token))();
    const [isOver, isAlive, calmSince] = [
      this.#isOver(process, session),
      this.#isAlive(process, session),
      this.#calm(),
    ];
    const order = this.upstream.nextOrder();
    void this.#follow(
      process,
      asked,
      () => {
        if (isOver) this.#violations.push('an ended session authenticates a caller');
      },
      (failure) => {
        const code = codeOf(failure);
        const endedMeanwhile = (session.loggedOut?.order ?? 0) > order || this.#revokedSince(session, order);
        if (isAlive && !endedMeanwhile) this.#violations.push(`an active session is rejected: ${code}`);
        const isAllowed = code === 'invalid_token' || (code === 'store_unavailable' && calmSince === undefined);
        if (!isAllowed && code !== 'shutting_down') this.#violations.push(`a session is rejected with ${code}`);
      },
    );
    await settle();
  }

  async logout(slot: number, nth: number): Promise<void> {
    const session = this.#sessions[nth % Math.max(1, this.#sessions.length)];
    if (session === undefined) return;
    const process = this.#at(slot);
    const moment = { process: process.number, order: this.upstream.nextOrder(), at: this.clock.monotonic() };
    session.loggedOut ??= { ...moment, calmSince: this.#calm() };
    void this.#follow(process, process.sessions.logout(session.token), nothing, (failure) =>
      this.#mustBeTheStore(failure),
    );
    await settle();
  }

  async revoke(slot: number, username: string): Promise<void> {
    const process = this.#at(slot);
    const moment = { process: process.number, order: this.upstream.nextOrder(), at: this.clock.monotonic() };
    this.#record.revocations.push({ ...moment, username, calmSince: this.#calm() });
    for (const { remembered } of this.#instances) {
      for (const name of USERS) if (isFor(username, name)) remembered.delete(name);
    }
    const { sessions } = process;
    const done = username === '*' ? sessions.revokeAll() : sessions.revokeUser(username);
    void this.#follow(process, done, nothing, (failure) => this.#mustBeTheStore(failure));
    await settle();
  }

  /** The upstream changes its decision about a user. */
  change(username: string, key: number, scopes: readonly string[]): void {
    this.upstream.accounts.set(username, { secretKey: KEYS[key % KEYS.length] ?? KEYS[0], scopes });
  }

  async restart(slot: number, dies: boolean): Promise<void> {
    const process = this.#at(slot);
    if (dies) {
      process.gate.die();
      this.upstream.forget(process.number);
    } else this.#stop(process);
    await settle();
    this.#instances[slot % this.#instances.length] = this.#boot();
    await settle();
  }

  /** The store loses everything, so no one knows which users were revoked: all may have been. */
  flush(): void {
    this.store.flush();
    const moment = { process: 0, order: this.upstream.nextOrder(), at: this.clock.monotonic() };
    this.#record.revocations.push({ ...moment, username: '*', calmSince: undefined });
    for (const { remembered } of this.#instances) remembered.clear();
  }

  stepWall(ms: number): void {
    this.#wallSteps += ms;
    this.clock.stepWall(ms);
  }

  check(): void {
    const [violation] = [...this.#violations, ...this.upstream.violations, ...this.store.violations];
    if (violation !== undefined) throw new Error(violation);
  }

  async finale(): Promise<void> {
    this.upstream.mood = 'grants';
    this.store.turn('well');
    for (let rest = this.upstream.flights.size; rest > 0; rest--) this.upstream.release(0);
    this.upstream.answerLate();
    await this.clock.advance(70_000);
    for (const { waiting } of this.#instances) {
      if (waiting.size > 0) throw new Error(`${waiting.size} callers never received a response`);
    }
    for (const username of USERS) this.change(username, 0, ['tme_user']);
    await this.clock.advance(70_000);
    for (const process of this.#instances) {
      for (const username of USERS) {
        const call = this.#call(process, 'verification', username, 0);
        this.#judgeLetIn(call, await process.verifier.verify(presented('Basic', call)));
      }
    }
    this.check();
  }

  close(): void {
    for (const process of this.#instances) this.#stop(process);
  }

  #stop({ verifier, sessions, log }: Process): void {
    verifier.stop();
    sessions.stop();
    void log?.stop();
  }

  async #follow<T>(
    { gate, waiting }: Process,
    asked: Promise<T>,
    brought: (value: T) => void,
    failed: (failure: unknown) => void,
  ): Promise<void> {
    const caller = Symbol('caller');
    waiting.add(caller);
    const outcome = await outcomeOf(asked);
    if (gate.isDead) return;
    waiting.delete(caller);
    if ('value' in outcome) brought(outcome.value);
    else if (outcome.failure instanceof XPayAuthError) failed(outcome.failure);
    else this.#violations.push(`an unexpected failure: ${String(outcome.failure)}`);
  }

  #call({ number }: Process, purpose: Purpose, username: string, key: number): Call {
    const secretKey = KEYS[key % KEYS.length] ?? KEYS[0];
    const [order, at] = [this.upstream.nextOrder(), this.clock.monotonic()];
    return { process: number, purpose, username, secretKey, order, at };
  }

  /** Whether this caller is certain to be cached here. */
  #mustLetIn({ remembered }: Process, { username, secretKey, at }: Call): boolean {
    const known = remembered.get(username);
    if (known === undefined || known.secretKey !== secretKey || at >= known.until) return false;
    if (this.#wallSteps - known.wallSteps > MOST_WALL_GAIN_MS) return false;
    return !this.setting.shared || (known.calmSince !== undefined && known.calmSince === this.#calm());
  }

  #judgeLetIn(call: Call, principal: Principal): Check | undefined {
    const grounds = this.#record.groundsFor(call, principal, (revocation) => this.#isHeard(revocation));
    if (grounds === undefined)
      this.#violations.push(`a caller is accepted without grounds: ${call.purpose} ${call.username}`);
    return grounds;
  }

  #judgeRefused(call: Call, failure: unknown): void {
    const code = codeOf(failure);
    if (code === 'shutting_down') return;
    if (code === 'invalid_credentials') {
      if (!this.#record.groundsToRefuse(call))
        this.#violations.push('a caller is rejected without a rejection by the upstream');
    } else if (code === 'store_unavailable') {
      if (call.purpose !== 'login') this.#violations.push('a verification fails with the store');
      this.#mustBeTheStore(failure);
    } else if (!this.#record.groundsForTrouble(call))
      this.#violations.push(`a failure that no dependency has: ${code}`);
  }

  #mustBeTheStore(failure: unknown): void {
    const code = codeOf(failure);
    const isTroubled = this.setting.shared && this.#calm() === undefined;
    if (code !== 'shutting_down' && !(code === 'store_unavailable' && isTroubled)) {
      this.#violations.push(`a working store fails: ${code}`);
    }
  }

  #began({ number }: Process, call: Call, session: Session, calmSince: number | undefined): void {
    const { accessToken: token, principal, expiresAt } = session;
    const check = this.#judgeLetIn(call, principal);
    if (check === undefined) return;
    const endsAt = this.clock.monotonic() + expiresAt - this.clock.now();
    const calm = calmSince === this.#calm() ? calmSince : undefined;
    this.#sessions.push({
      token,
      process: number,
      principal,
      check,
      endsAt,
      wallSteps: this.#wallSteps,
      calmSince: calm,
      loggedOut: undefined,
    });
  }

  /** Whether the session must be rejected here. */
  #isOver({ number }: Process, session: ModelSession): boolean {
    const { process, endsAt, wallSteps, loggedOut, check, principal } = session;
    const [mono, gained] = [this.clock.monotonic(), this.#wallSteps - wallSteps];
    if (!this.setting.shared && process !== number) return true;
    if (mono >= endsAt || (!this.setting.shared && mono + gained >= endsAt)) return true;
    const knows = (moment: Omit<Revocation, 'username'>): boolean => moment.process === number || this.#isHeard(moment);
    if (loggedOut !== undefined && knows(loggedOut)) return true;
    return this.#record.revocations.some(
      (one) => isFor(one.username, principal.username) && one.order > check.order && knows(one),
    );
  }

  /** Whether the session must be accepted here. */
  #isAlive({ number }: Process, session: ModelSession): boolean {
    const { process, endsAt, wallSteps, loggedOut, check, calmSince } = session;
    const gained = Math.max(0, this.#wallSteps - wallSteps);
    if (loggedOut !== undefined || this.#revokedSince(session, check.order)) return false;
    // Two successive responses of a store, each 200 ms late, rounded up to whole ms.
    if (this.clock.monotonic() + gained >= endsAt - 1_000) return false;
    return this.setting.shared ? calmSince !== undefined && calmSince === this.#calm() : process === number;
  }

  #revokedSince({ principal }: ModelSession, order: number): boolean {
    return this.#record.revocations.some((one) => isFor(one.username, principal.username) && one.order > order);
  }

  /** Whether an action of another instance is known here by now. This holds only if the store worked all the time. */
  #isHeard({ at, calmSince }: Omit<Revocation, 'username'>): boolean {
    const calm = this.#calm();
    return this.setting.shared && calm !== undefined && calm === calmSince && this.clock.monotonic() - at >= HEARD_MS;
  }

  #calm(): number | undefined {
    return this.setting.shared ? this.store.calmSince : undefined;
  }

  #at(slot: number): Process {
    const process = this.#instances[slot % this.#instances.length];
    if (process === undefined) throw new Error('a model has instances');
    return process;
  }

  #ask(process: () => Process, credentials: Credentials, purpose: Purpose, signal: AbortSignal) {
    const { number } = process();
    const { username, secretKey } = credentials;
    const asking = { process: number, purpose, username, secretKey };
    const mono = this.clock.monotonic();
    if (this.#record.wasJustRefused(asking, mono)) this.#violations.push('rejected a moment ago, and verified again');
    const checks: Check[] = [];
    // As in the library: the gain of the wall clock during a check counts, too.
    const wallSteps = this.#wallSteps;
    return this.upstream.ask(
      number,
      `${purpose} ${username} ${secretKey}`,
      signal,
      () => this.upstream.check(credentials),
      {
        asked: (flight) => void checks.push(this.#record.asked(asking, flight)),
        answered: (_, decision) => {
          const [check] = checks;
          if (check === undefined) return;
          const minted =
            decision instanceof XPayAuthError ? undefined : this.upstream.minted.get(decision.accessToken.value);
          const at = this.clock.monotonic();
          this.#record.answered(check, decision, this.upstream.nextOrder(), at, minted?.expiresAt ?? 0);
          this.#remember(process(), check, wallSteps);
        },
      },
    );
  }

  /** Records the callers that this process must have cached from now on, and removes those it need not have. */
  #remember({ remembered }: Process, check: Check, wallSteps: number): void {
    const { username, secretKey, purpose, outcome, askedAt } = check;
    const known = remembered.get(username);
    if (outcome === 'refused' && known?.secretKey === secretKey) remembered.delete(username);
    if (outcome !== 'accepted' || (known !== undefined && known.askedAt > askedAt)) return;
    if (known !== undefined && known.secretKey !== secretKey) remembered.delete(username);
    const isRevoked = this.#record.revocations.some((one) => isFor(one.username, username) && one.order > check.order);
    if (purpose === 'login' || isRevoked) return;
    const until = sureUntil(check, PERIOD_MS, Math.max(0, this.#wallSteps));
    remembered.set(username, { secretKey, askedAt, until, wallSteps, calmSince: this.#calm() });
  }

  #boot(): Process {
    const gate = new ProcessGate();
    const number = ++this.#processes;
    const clock = gate.clock(this.clock);
    const store: Store | undefined = this.setting.shared ? gate.store(this.store) : undefined;
    const [issuer, digest, revocations] = [Symbol('an instance'), new KeyedDigest(), new Revocations()];
    const scope = ['the app', 'an upstream'];
    const log =
      store &&
      new RevocationLog({
        store,
        clock,
        scope: scope.join(' '),
        onUser: (username) => sessions.userRevoked(username),
        onEverybody: () => sessions.everyoneRevoked(),
      });
    const share = this.setting.share && store && log;
    const upstream = { instance: 'default', dialect: 'model', baseUrl: 'https://model.example.test' };
    const instrumentation = new Instrumentation();
    const verifier = new CredentialVerifier({
      instance: 'default',
      issuer,
      clock,
      digest,
      revocations,
      audit: nothing,
      instrumentation,
      attempts: unlimitedAttempts,
      scopeHierarchy: {},
      policy: {
        periodMs: PERIOD_MS,
        refusedPeriodMs: REFUSED_PERIOD_MS,
        staleIfErrorMs: 0,
        deadlineMs: 5_000,
        maxEntries: 100,
        maxConcurrent: 1_000,
        maxQueued: 1_000,
        queueTimeoutMs: 5_000,
      },
      authenticate: (credentials, purpose, signal) =>
        this.#ask(() => process, credentials, purpose === 'login' ? 'login' : 'verification', signal),
      shared: share ? new SharedCredentials({ store, log, clock, ...upstream, issuer }) : undefined,
    });
    const sessions: Sessions = new Sessions({
      clock,
      digest,
      verifier,
      revocations,
      audit: nothing,
      instrumentation,
      policy: { periodMs: SESSION_MS, idleMs: undefined, maxPerUser: 100, token: 'opaque', keepUpstreamToken: false },
      shared: store &&
        log && {
          sessions: new SharedSessions({
            store,
            log,
            clock,
            scope,
            issuer,
            periodMs: SESSION_MS,
            idleMs: undefined,
            maxPerUser: 100,
            bearersMayRepeat: false,
          }),
          log,
        },
    });
    const process: Process = { number, gate, verifier, sessions, log, waiting: new Set(), remembered: new Map() };
    return process;
  }
}

function presented(scheme: string, { username, secretKey }: Call) {
  return { scheme, credentials: new SealedCredentials(username, secretKey), address: undefined };
}

function codeOf(failure: unknown): string {
  return failure instanceof XPayAuthError ? failure.code : String(failure);
}

function nothing(): void {
  // No failure is allowed.
}
