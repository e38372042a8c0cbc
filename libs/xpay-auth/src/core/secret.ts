import { NonPrinting } from './non-printing.js';

/** A string that does not print. Read it with {@link reveal}, at the point where it is sent. */
export class Secret extends NonPrinting {
  readonly #value: string;

  /** Wraps the string. Only {@link reveal} returns it. */
  constructor(value: string) {
    super('[secret]');
    this.#value = value;
  }

  /** The string itself. */
  reveal(): string {
    return this.#value;
  }
}
