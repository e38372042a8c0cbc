import { randomBytes } from 'node:crypto';

/** Returns a new encryption key. */
export function newKey(): string {
  return randomBytes(32).toString('base64');
}
