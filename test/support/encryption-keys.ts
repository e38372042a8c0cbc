import { randomBytes } from 'node:crypto';

/** A key of its own for each test. */
export function newKey(): string {
  return randomBytes(32).toString('base64');
}
