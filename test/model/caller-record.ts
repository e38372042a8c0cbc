import { type Grant, type Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { hardMargin } from '../../libs/xpay-auth/src/core/lifetime.js';
import type { Flight } from './model-upstream.js';

/** Time within which all instances learn of a revocation while the store works. */
export const HEARD_MS = 1_000;

export type Purpose = 'verification' | 'login';

/** One call to the upstream about a caller, as recorded. Orders number all events; times are on the monotonic clock. */
export interface Check {
  readonly process: number;
  readonly purpose: Purpose;
  readonly username: string;
  readonly secretKey: string;
  readonly order: number;
  readonly askedAt: number;
  outcome: 'pending' | 'accepted' | 'refused' | 'trouble';
  answeredOrder: number;
  answeredAt: number;
  scopes: readonly string[];
  /** Expiry of the upstream's grant. */
  vouchedUntil: number;
}

export interface Revocation {
  readonly process: number;
  /** `*` means every user. */
  readonly username: string;
  readonly order: number;
  readonly at: number;
  readonly calmSince: number | undefined;
}

/** A caller: username, credentials and time. */
export interface Call {
  readonly process: number;
  readonly purpose: Purpose;
  readonly username: string;
  readonly secretKey: string;
  readonly order: number;
  readonly at: number;
}

export interface RecordSetting {
  readonly periodMs: number;
  readonly refusedPeriodMs: number;
  /** Whether instances share verified callers. */
  readonly share: boolean;
}

/**
 * Records all upstream calls and their results, and all revocations. Every response to a caller is judged by this
 * record.
 */
export class CallerRecord {
  readonly checks: Check[] = [];
  readonly revocations: Revocation[] = [];

  constructor(private readonly setting: RecordSetting) {}

  asked(call: Omit<Call, 'order' | 'at'>, { order, askedAt }: Flight): Check {
    const { process, purpose, username, secretKey } = call;
    const unknown = { answeredOrder: Infinity, answeredAt: Infinity, scopes: [], vouchedUntil: 0 };
    const check: Check = { process, purpose, username, secretKey, order, askedAt, outcome: 'pending', ...unknown };
    this.checks.push(check);
    return check;
  }

  answered(check: Check, decision: Grant | XPayAuthError, order: number, at: number, vouchedUntil: number): void {
    check.answeredOrder = order;
    check.answeredAt = at;
    if (decision instanceof XPayAuthError) {
      check.outcome = decision.code === 'invalid_credentials' ? 'refused' : 'trouble';
    } else {
      check.outcome = 'accepted';
      check.scopes = decision.scopes;
      check.vouchedUntil = vouchedUntil;
    }
  }

  /** The same credentials were rejected here recently, so the upstream need not be called. */
  wasJustRefused({ process, purpose, username, secretKey }: Omit<Call, 'order' | 'at'>, at: number): boolean {
    return this.checks.some(
      (check) =>
        check.outcome === 'refused' &&
        check.process === process &&
        check.purpose === purpose &&
        check.username === username &&
        check.secretKey === secretKey &&
        at - check.answeredAt < this.setting.refusedPeriodMs,
    );
  }

  /** Returns an acceptance by which this caller may be authenticated, if there is one. */
  groundsFor(call: Call, principal: Principal, isHeard: (revocation: Revocation) => boolean): Check | undefined {
    const { username, scopes } = principal;
    return this.checks.find(
      (check) =>
        check.outcome === 'accepted' &&
        check.username === username &&
        this.#isOfTheSame(check, call) &&
        check.scopes.join(' ') === scopes.join(' ') &&
        this.#isRecent(check, call) &&
        !this.#isRevoked(check, call, isHeard) &&
        !this.#isOvertaken(check, call),
    );
  }

  /** Whether the upstream rejected these credentials, for this caller or recently. */
  groundsToRefuse(call: Call): boolean {
    const { refusedPeriodMs } = this.setting;
    const refused = this.checks.some(
      (check) =>
        check.outcome === 'refused' &&
        check.process === call.process &&
        check.purpose === call.purpose &&
        this.#isOfTheSame(check, call) &&
        (check.answeredOrder > call.order || call.at - check.answeredAt < refusedPeriodMs),
    );
    // A caller who is revoked repeatedly during checks is rejected in the end. A revocation by another instance, or a
    // loss of the store, may become known only now.
    const revoked = this.revocations.filter(({ order, username, process, at, calmSince }) => {
      const wasHeard = calmSince !== undefined && call.at - at >= HEARD_MS;
      const isNews = order > call.order || (process !== call.process && !wasHeard);
      return isNews && isFor(username, call.username);
    });
    return refused || revoked.length >= 2;
  }

  /** Whether the upstream failed while this caller waited, or sent a Retry-After recently. */
  groundsForTrouble(call: Call): boolean {
    return this.checks.some(
      ({ process, outcome, answeredOrder, answeredAt }) =>
        process === call.process &&
        outcome === 'trouble' &&
        (answeredOrder > call.order || call.at - answeredAt <= 20_000),
    );
  }

  #isOfTheSame(check: Check, { process, username, secretKey, purpose }: Call): boolean {
    const here = check.process === process || (this.setting.share && purpose === 'verification');
    return here && check.purpose === purpose && check.username === username && check.secretKey === secretKey;
  }

  /** Whether the entry is from the period before the call, or from the check that the call waited for. */
  #isRecent({ askedAt, answeredOrder, vouchedUntil }: Check, call: Call): boolean {
    if (answeredOrder > call.order) return true;
    if (call.purpose === 'login') return false;
    return call.at - askedAt < this.setting.periodMs && call.at < vouchedUntil;
  }

  #isRevoked(check: Check, call: Call, isHeard: (revocation: Revocation) => boolean): boolean {
    const until = Math.max(call.order, check.answeredOrder);
    return this.revocations.some(
      (revocation) =>
        isFor(revocation.username, call.username) &&
        revocation.order > check.order &&
        revocation.order < until &&
        (revocation.process === call.process || isHeard(revocation)),
    );
  }

  /**
   * Whether the upstream has since rejected these credentials, or accepted another key of the same user, in this
   * process.
   */
  #isOvertaken(check: Check, call: Call): boolean {
    return this.checks.some((later) => {
      const isHeard = later.process === call.process && later.answeredOrder < call.order && later.order > check.order;
      if (!isHeard || later.username !== call.username) return false;
      const isSame = later.secretKey === call.secretKey;
      return (later.outcome === 'refused' && isSame) || (later.outcome === 'accepted' && !isSame);
    });
  }
}

export function isFor(revoked: string, username: string): boolean {
  return revoked === '*' || revoked === username;
}

/** Callers that one process must have cached, because their entries are certain to be in its table. */
export interface Remembered {
  readonly secretKey: string;
  readonly askedAt: number;
  /** One ms later the entry is no longer certain to be valid. */
  readonly until: number;
  readonly wallSteps: number;
  readonly calmSince: number | undefined;
}

/**
 * Returns the time until which an entry is certain to be cached, in all ways the library may count. `aheadMs`: how far
 * our clock is ahead of the upstream's.
 */
export function sureUntil({ askedAt, answeredAt, vouchedUntil }: Check, periodMs: number, aheadMs: number): number {
  const lifeMs = vouchedUntil - answeredAt;
  const leastMs = lifeMs - Math.min(answeredAt - askedAt, lifeMs / 2) - 1_000 - aheadMs;
  return Math.min(askedAt + periodMs, answeredAt + leastMs - hardMargin(lifeMs));
}
