import { isIndividual } from '../verification/presented-credentials.js';

/** Maximum number of logins that share one check of their credentials. */
const MOST_IN_A_GROUP = 10;

/** Logins that share one check. */
class Group<T> {
  size = 0;
  readonly #checks: Promise<T>[] = [];
  /** Settles when the previous group is over. */
  readonly #turn: Promise<void> | undefined;

  constructor(before: Group<T> | undefined) {
    this.#turn = before?.over();
  }

  /** Runs a check when the previous group is over. If the previous group has failed, rejects with its failure. */
  join(check: () => Promise<T>): Promise<T> {
    this.size++;
    const joined = this.#turn === undefined ? check() : this.#turn.then(check);
    this.#checks.push(joined);
    return joined;
  }

  /**
   * Resolves when every login of the group has settled. If all of them have failed, rejects with the first failure that also
   * applies to other logins with the same credentials.
   */
  async over(): Promise<void> {
    const failures: unknown[] = [];
    for (const answer of await Promise.allSettled(this.#checks)) {
      if (answer.status === 'fulfilled') return;
      failures.push(answer.reason);
    }
    const shared = failures.find((failure) => !isIndividual(failure));
    if (shared !== undefined) throw shared as Error;
  }
}

/**
 * Groups concurrent logins with the same credentials, so that one check of the upstream begins at most ten sessions. The next
 * group calls the upstream when the previous group is over. If a group fails, all groups that wait for the group fail too, unless
 * the failure concerns only the addresses or the clients of the group.
 */
export class LoginGroups<T> {
  /** The last group of each key. A group is kept until one of its logins has settled. */
  readonly #last = new Map<string, Group<T>>();

  /** @param check starts a check of the credentials, or joins the check in progress */
  async run(key: string, check: () => Promise<T>): Promise<T> {
    let group = this.#last.get(key);
    if (group === undefined || group.size >= MOST_IN_A_GROUP) this.#last.set(key, (group = new Group(group)));
    try {
      return await group.join(check);
    } finally {
      if (this.#last.get(key) === group) this.#last.delete(key);
    }
  }
}
