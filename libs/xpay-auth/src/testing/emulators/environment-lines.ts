import type { XPayAccount } from './xpay.emulator.js';

/** The variables that point an app of nestjs-xpay-auth to an emulator, a line each, to be put into its `.env` as they are. */
export function environmentLines(dialect: string, url: string, { username, secretKey }: XPayAccount): string {
  const variables = {
    XPAY_DIALECT: dialect,
    XPAY_BASE_URL: url,
    XPAY_USERNAME: username,
    XPAY_SECRET_KEY: secretKey,
  };
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}
