import { inspect } from 'node:util';

/**
 * Base class of objects that hold a secret. `String`, `JSON.stringify`, `console.log` and `util.inspect` show a label instead,
 * also with `showHidden`, provided that the secret is in a `#private` field.
 */
export abstract class NonPrinting {
  readonly #label: string;

  /** @param label shown instead, such as `[secret]` */
  protected constructor(label: string) {
    this.#label = label;
  }

  /** The label, for string conversion and concatenation. */
  toString(): string {
    return this.#label;
  }

  /** The label, for `JSON.stringify`. */
  toJSON(): string {
    return this.#label;
  }

  /** The label, for `console.log` and `util.inspect`. */
  [inspect.custom](): string {
    return this.#label;
  }
}
