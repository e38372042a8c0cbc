import type { XPayAccount } from './xpay.emulator.js';

/** The variables that configure an app for an emulator, one line each, ready for its `.env`. */
export function environmentLines(dialect: string, url: string, { username, secretKey }: XPayAccount): string {
  const account = `XPAY_USERNAME=${username}\nXPAY_SECRET_KEY=${secretKey}`;
  return `XPAY_DIALECT=${dialect}\nXPAY_BASE_URL=${url}\n${account}`;
}
