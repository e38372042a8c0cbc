import { type Grant, type Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { hardMargin } from '../../libs/xpay-auth/src/core/freshness.js';
import type { Flight } from './model-upstream.js';

/** Within so long all instances know what one has revoked, while the store is well. */
export const HEARD_MS = 1_000;

export type Purpose = 'verification' | 'login';

/** One question about somebody, as the record has it. Orders are of everything that happens; times on the monotonic clock. */
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
  /** Until when the upstream vouches. */
  vouchedUntil: number;
}

export interface Revocation {
  readonly process: number;
  /** `*`: everybody. */
  readonly username: string;
  readonly order: number;
  readonly at: number;
  readonly calmSince: number | undefined;
}

/** Who calls, how, and when. */
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
  /** Do instances share whom they have verified? */
  readonly share: boolean;
}

/** All that the upstream was asked and said, and who was revoked: by it every answer to a caller is judged. */
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

  /** The same pair was refused here so lately that the upstream need not be asked. */
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

  /** An acceptance that this caller may be let in on, if there is one. */
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

  /** The upstream said no to this very pair, to this caller or a moment ago. */
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
    // Who is revoked over and over while the upstream thinks is refused in the end. What another instance did, or the store
    // lost, may be heard of only now.
    const revoked = this.revocations.filter(({ order, username, process, at, calmSince }) => {
      const wasHeard = calmSince !== undefined && call.at - at >= HEARD_MS;
      const isNews = order > call.order || (process !== call.process && !wasHeard);
      return isNews && isFor(username, call.username);
    });
    return refused || revoked.length >= 2;
  }

  /** The upstream was in trouble while this caller waited, or asked for patience a moment ago. */
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

  /** Remembered from the period before the call, or the answer that the call waited for. */
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

  /** Since then the upstream has said no to this pair, or yes to another key of the same user, and this process has heard. */
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

/** Whom one process must remember: what is sure to be in its table. */
export interface Remembered {
  readonly secretKey: string;
  readonly askedAt: number;
  /** Not a ms later is he sure to be let in. */
  readonly until: number;
  readonly wallSteps: number;
  readonly calmSince: number | undefined;
}

/** Until when somebody is sure to be remembered, whichever way the library counts. `aheadMs`: of our clock, before the upstream's. */
export function sureUntil({ askedAt, answeredAt, vouchedUntil }: Check, periodMs: number, aheadMs: number): number {
  const lifeMs = vouchedUntil - answeredAt;
  const leastMs = lifeMs - Math.min(answeredAt - askedAt, lifeMs / 2) - 1_000 - aheadMs;
  return Math.min(askedAt + periodMs, answeredAt + leastMs - hardMargin(lifeMs));
}
