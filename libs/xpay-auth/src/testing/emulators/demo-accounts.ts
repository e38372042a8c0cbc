import { randomBytes } from 'node:crypto';
import type { XPayAccount } from './xpay.emulator.js';

/** Accounts to play with, one for each way scopes can fall, with keys that are new at every call. */
export function demoAccounts(): XPayAccount[] {
  const scopesOf = { user: ['tme_user'], admin: ['tme_admin'], both: ['tme_user', 'tme_admin'] };
  return Object.entries(scopesOf).map(([name, scopes]) => ({
    username: `${name}@example.test`,
    secretKey: randomBytes(12).toString('base64url'),
    scopes,
  }));
}
