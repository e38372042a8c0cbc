/** One thing that everything of a kind must do, and the try whether this one does. */
export interface ContractCase {
  /** A sentence that begins with the name of what is tried. */
  readonly title: string;
  /** Resolves when it does; rejects with an `AssertionError` of `node:assert` that says what it did instead. */
  readonly run: () => Promise<void>;
}
