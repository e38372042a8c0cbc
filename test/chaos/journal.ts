/** The verdict on a response: as expected, a 5xx for an outage of ours, or one that must never be sent. */
export type Verdict = 'right' | 'unavailable' | 'wrong';

export interface Answer {
  readonly scenario: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly verdict: Verdict;
  /** For `unavailable`, the error code or the server that responded. For `wrong`, the mistake. */
  readonly cause: string | undefined;
}

interface Spell {
  readonly fault: string;
  readonly beganAt: number;
  endedAt: number;
}

export interface FaultResult {
  readonly fault: string;
  readonly times: number;
  readonly unavailable: number;
  /** Longest time in ms from the end of the fault to the last request that was sent and not served. */
  readonly worstRecoveryMs: number;
}

/** Records every request and every fault, with their times. */
export class Journal {
  readonly answers: Answer[] = [];
  readonly #spells: Spell[] = [];

  begin(fault: string): Spell {
    const spell = { fault, beganAt: performance.now(), endedAt: Infinity };
    this.#spells.push(spell);
    return spell;
  }

  /** Wrong responses, each with the fault at the time. */
  get wrong(): readonly (Answer & { readonly during: string })[] {
    return this.answers
      .filter(({ verdict }) => verdict === 'wrong')
      .map((answer) => ({ ...answer, during: this.#during(answer) }));
  }

  /** Counts the verdicts of each scenario. */
  byScenario(): ReadonlyMap<string, Record<Verdict, number>> {
    const counts = new Map<string, Record<Verdict, number>>();
    for (const { scenario, verdict } of this.answers) {
      const count = counts.get(scenario) ?? { right: 0, unavailable: 0, wrong: 0 };
      count[verdict]++;
      counts.set(scenario, count);
    }
    return counts;
  }

  /** Counts the requests that were not served, by cause and by the last fault before the response. */
  causes(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    const causes = new Map<string, Map<string, number>>();
    for (const { verdict, cause = '', answeredAt } of this.answers) {
      if (verdict !== 'unavailable') continue;
      const fault = this.#spells.findLast(({ beganAt }) => beganAt <= answeredAt)?.fault ?? 'no fault yet';
      const faults = causes.get(cause) ?? new Map<string, number>();
      causes.set(cause, faults.set(fault, (faults.get(fault) ?? 0) + 1));
    }
    return causes;
  }

  #during({ sentAt }: Answer): string {
    const spell = this.#spells.findLast(({ beganAt }) => beganAt <= sentAt);
    if (spell === undefined) return 'nothing yet';
    const { fault, beganAt, endedAt } = spell;
    const since = Math.round(sentAt - (sentAt < endedAt ? beganAt : endedAt));
    return sentAt < endedAt ? `${fault}, for ${since} ms` : `${fault}, over for ${since} ms`;
  }

  faults(): readonly FaultResult[] {
    const results = new Map<string, { times: number; unavailable: number; worstRecoveryMs: number }>();
    this.#spells.forEach(({ fault, beganAt, endedAt }, at) => {
      const until = this.#spells[at + 1]?.beganAt ?? Infinity;
      // Counts by the time of the response, because a fault also affects the requests in flight.
      const bad = this.answers.filter(
        ({ verdict, answeredAt }) => verdict !== 'right' && answeredAt >= beganAt && answeredAt < until,
      );
      const lastAt = bad.reduce((latest, { sentAt }) => Math.max(latest, sentAt), endedAt);
      const result = results.get(fault) ?? { times: 0, unavailable: 0, worstRecoveryMs: 0 };
      result.times++;
      result.unavailable += bad.length;
      result.worstRecoveryMs = Math.max(result.worstRecoveryMs, lastAt - endedAt);
      results.set(fault, result);
    });
    return [...results].map(([fault, result]) => ({ fault, ...result }));
  }
}
