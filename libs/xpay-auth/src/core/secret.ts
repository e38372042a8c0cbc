import { inspect } from 'node:util';

/**
 * A value that does not print: not by `String`, `JSON.stringify`, `console.log` or `util.inspect` with `showHidden`.
 * Read it with {@link reveal}, where it is sent.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
