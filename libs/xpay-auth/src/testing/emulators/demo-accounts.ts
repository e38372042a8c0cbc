import { randomBytes } from 'node:crypto';
import type { XPayAccount } from './xpay.emulator.js';

/** Demo accounts, one for each combination of scopes, with new keys at each call. */
export function demoAccounts(): XPayAccount[] {
  const scopesOf = { user: ['tme_user'], admin: ['tme_admin'], both: ['tme_user', 'tme_admin'] };
  return Object.entries(scopesOf).map(([name, scopes]) => ({
    username: `${name}@example.test`,
    secretKey: randomBytes(12).toString('base64url'),
    scopes,
  }));
}

/** The variables that configure an app for an emulator, one per line, for its `.env`. */
export function environmentLines(dialect: string, url: string, { username, secretKey }: XPayAccount): string {
  const account = `XPAY_USERNAME=${username}\nXPAY_SECRET_KEY=${secretKey}`;
  return `XPAY_DIALECT=${dialect}\nXPAY_BASE_URL=${url}\n${account}`;
}
