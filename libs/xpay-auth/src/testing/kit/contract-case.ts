/** One requirement of a contract, with its test. */
export interface ContractCase {
  /** A sentence that begins with the name of what is tested. */
  readonly title: string;
  /** Resolves if the requirement is met; rejects with an `AssertionError` of `node:assert` if not. */
  readonly run: () => Promise<void>;
}

/** The cases of a contract. Each title begins with `name`, the name of the tested adapter. */
export function casesOf<P>(
  name: string,
  plays: Readonly<Record<string, P>>,
  run: (play: P) => Promise<void>,
): readonly ContractCase[] {
  return Object.entries(plays).map(([sentence, play]) => ({ title: `${name} ${sentence}`, run: () => run(play) }));
}
