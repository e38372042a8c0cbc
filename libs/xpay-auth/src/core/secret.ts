import { inspect } from 'node:util';

/**
 * A value that does not print: not by `String`, `JSON.stringify`, `console.log` or `util.inspect` with `showHidden`.
 * Read it with {@link reveal}, where it is sent.
 */
export class Secret {
  readonly #value: string;

  /** Takes the value in; nothing but {@link reveal} gives it out. */
  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. */
  reveal(): string {
    return this.#value;
  }

  /** `[secret]`, so that no log has the value. */
  toString(): string {
    return '[secret]';
  }

  /** `[secret]`, so that no answer has the value. */
  toJSON(): string {
    return '[secret]';
  }

  /** `[secret]`, so that no `console.log` has the value. */
  [inspect.custom](): string {
    return '[secret]';
  }
}
