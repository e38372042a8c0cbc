import { hash, randomBytes } from 'node:crypto';

/**
 * One-shot keyed digests for tables in this process's memory. The key is random and never leaves the process, so what a
 * table's keys say cannot be tried against a dictionary elsewhere. Why not an HMAC: docs/decisions/0003.
 */
export class KeyedDigest {
  readonly #key = randomBytes(32).toString('base64');

  /** 256 bits, a byte in each character, the same for the same text within this object, and nowhere else. */
  of(text: string): string {
    return hash('sha256', this.#key + text, 'binary');
  }
}
