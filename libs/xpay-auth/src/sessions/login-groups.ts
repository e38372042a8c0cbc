/** Logins that may share one check of their credentials. */
const MOST_IN_A_GROUP = 10;

/** Logins that share one check. */
class Group<T> {
  size = 0;
  readonly #checks: Promise<T>[] = [];
  /** Settles with the group before. */
  readonly #turn: Promise<void> | undefined;

  constructor(before: Group<T> | undefined) {
    this.#turn = before?.over();
  }

  /** Runs a check when the group before is over. Rejects with the failure of that group. */
  join(check: () => Promise<T>): Promise<T> {
    this.size++;
    const joined = this.#turn === undefined ? check() : this.#turn.then(check);
    this.#checks.push(joined);
    return joined;
  }

  /** Resolves when every login of the group has its answer. Rejects with the failure if none has succeeded. */
  async over(): Promise<void> {
    const answers = await Promise.allSettled(this.#checks);
    const [first] = answers;
    if (first?.status === 'rejected' && answers.every(({ status }) => status === 'rejected')) throw first.reason;
  }
}

/**
 * Groups concurrent logins with the same credentials, so that one check of the upstream begins at most ten sessions. The next
 * group calls the upstream when the one before it is over. A group that fails fails those that wait for it.
 */
export class LoginGroups<T> {
  /** The last group of each key, while one of its logins waits. */
  readonly #last = new Map<string, Group<T>>();

  /** @param check joins a check of the same credentials that is under way */
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
