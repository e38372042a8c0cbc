import { randomBytes } from 'node:crypto';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

interface Account {
  readonly username: string;
  readonly secretKey: string;
  readonly scopes: readonly string[];
}

export interface Demo {
  /** Says what this is, and how to try it. */
  introduce(appUrl: string): void;
}

/**
 * Starts an emulator of xPay.stream in this process and points the app at it. Keys are random at each start, so nothing
 * here is worth stealing, and nothing can be left in by mistake.
 */
export async function startDemo(): Promise<Demo> {
  const user = account('user@example.test', 'tme_user');
  const admin = account('admin@example.test', 'tme_admin');
  const app = account('this-app@example.test', 'tme_user');
  const emulator = await startXPayEmulator({ accounts: [user, admin, app] });
  process.env['XPAY_BASE_URL'] = emulator.url;
  process.env['XPAY_USERNAME'] = app.username;
  process.env['XPAY_SECRET_KEY'] = app.secretKey;
  return {
    introduce: (appUrl) => {
      // oxlint-disable-next-line eslint/no-console -- the demo speaks to a person at a terminal
      console.log(introduction(appUrl, emulator.url, user, admin));
    },
  };
}

function account(username: string, scope: string): Account {
  return { username, secretKey: randomBytes(12).toString('base64url'), scopes: [scope] };
}

function introduction(appUrl: string, upstreamUrl: string, user: Account, admin: Account): string {
  const line = ({ username, secretKey, scopes }: Account): string => `${username}:${secretKey}  ${scopes.join(' ')}`;
  const login = ({ username, secretKey }: Account): string => `-u ${username}:${secretKey}`;
  return `
DEMO: no xPay account is configured, so an emulator of xPay.stream runs inside this process (${upstreamUrl}).

${line(user)}
${line(admin)}

200  curl -i ${login(user)} ${appUrl}/user/report
401  curl -i ${appUrl}/me
403  curl -i ${login(user)} ${appUrl}/admin/report
200  curl -i ${login(admin)} ${appUrl}/admin/report
200  curl -i ${login(user)} -X POST ${appUrl}/wallets/find

To use your own account: XPAY_USERNAME=… XPAY_SECRET_KEY=… npm start
`;
}
