import { randomBytes } from 'node:crypto';

/** A new key for each test. */
export function newKey(): string {
  return randomBytes(32).toString('base64');
}
