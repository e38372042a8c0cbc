import type { Attributes } from '@opentelemetry/api';

/**
 * Counts by what was counted: plain numbers, which a reader collects whenever it likes. What may come is there from the
 * start with 0: the first failure of its kind must not go unseen because its counter was born with it.
 */
export class Counter {
  readonly #counts = new Map<string, number>();

  constructor(
    expected: readonly string[],
    private readonly describe: (what: string) => Attributes,
  ) {
    for (const what of expected) this.#counts.set(what, 0);
  }

  add(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  /** @param more counted elsewhere */
  read(observe: (value: number, attributes: Attributes) => void, more: Readonly<Record<string, number>> = {}): void {
    for (const [what, count] of this.#counts) observe(count + (more[what] ?? 0), this.describe(what));
  }
}
