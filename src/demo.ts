import { randomBytes } from 'node:crypto';
import { startGiftStreamEmulator, startPasswordLoginEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { DemoTraffic } from './demo-traffic.js';

interface Account {
  readonly username: string;
  readonly secretKey: string;
  readonly scope: string;
}

export interface Demo {
  /** Calls of the emulator's accounts, which `--traffic` or the status page starts. */
  readonly traffic: DemoTraffic;
  /** Prints the text that explains the demo and how to try it. `statusUrl` is `undefined` if the app has no status page. */
  introduce(appUrl: string, statusUrl: string | undefined): void;
}

/** Starts the emulator of each upstream that `XPAY_DIALECT` can name. */
const upstreams = {
  xpay: (accounts: readonly Account[]) =>
    startXPayEmulator({ accounts: accounts.map(({ scope, ...account }) => ({ ...account, scopes: [scope] })) }),
  'gift-stream': (accounts: readonly Account[]) => startGiftStreamEmulator({ accounts }),
  'password-login': (accounts: readonly Account[]) => startPasswordLoginEmulator({ accounts }),
};

/**
 * Starts an emulator of the upstream in this process and configures the app to use it. Keys are random at each start,
 * so a leaked demo key is useless.
 */
export async function startDemo(dialect: string): Promise<Demo> {
  if (!isKnown(dialect)) {
    throw new Error(`XPAY_DIALECT: ${dialect} is none of ${Object.keys(upstreams).join(', ')}`);
  }
  // gift-stream has no scopes, so any valid caller may use every route without a scope.
  const [userScope, adminScope] = dialect === 'gift-stream' ? ['', ''] : ['tme_user', 'tme_admin'];
  const user = account('user@example.test', userScope);
  const admin = account('admin@example.test', adminScope);
  const app = account('this-app@example.test', userScope);
  const emulator = await upstreams[dialect]([user, admin, app]);
  process.env['XPAY_BASE_URL'] = emulator.url;
  process.env['XPAY_USERNAME'] = app.username;
  process.env['XPAY_SECRET_KEY'] = app.secretKey;
  return {
    traffic: new DemoTraffic({ emulator, dialect, user, appUsername: app.username, scope: userScope }),
    introduce: (appUrl, statusUrl) => {
      const upstream = `an emulator of ${dialect} runs inside this process (${emulator.url})`;
      const lines = [...tries(dialect, appUrl, user, admin), ...watch(statusUrl)];
      process.stdout.write(introduction(upstream, dialect, [user, admin], lines));
    },
  };
}

function isKnown(dialect: string): dialect is keyof typeof upstreams {
  return Object.hasOwn(upstreams, dialect);
}

function account(username: string, scope: string): Account {
  return { username, secretKey: randomBytes(12).toString('base64url'), scope };
}

function as({ username, secretKey }: Account): string {
  return `-u ${username}:${secretKey}`;
}

/** Returns one line for each kind of response. */
function tries(dialect: keyof typeof upstreams, appUrl: string, user: Account, admin: Account): readonly string[] {
  const always = [`200  curl -i ${as(user)} ${appUrl}/me`, `401  curl -i ${appUrl}/me`];
  if (dialect === 'gift-stream')
    return [...always, `403  curl -i ${as(user)} ${appUrl}/user/report  # it has no scopes`];
  return [
    ...always,
    `200  curl -i ${as(user)} ${appUrl}/user/report`,
    `403  curl -i ${as(user)} ${appUrl}/admin/report`,
    `200  curl -i ${as(admin)} ${appUrl}/admin/report`,
    ...(dialect === 'xpay'
      ? [
          `200  curl -i ${as(user)} -X POST ${appUrl}/wallets/find`,
          `200  curl -i ${as(admin)} -X POST ${appUrl}/app/wallets/find`,
        ]
      : []),
  ];
}

/** Returns the lines that lead to the status page. */
function watch(statusUrl: string | undefined): readonly string[] {
  if (statusUrl === undefined) return [];
  return [
    '',
    `Watch the token and the callers: ${statusUrl}`,
    'Start the demo traffic there, or by: npm start -- --traffic',
  ];
}

function introduction(
  upstream: string,
  dialect: string,
  accounts: readonly Account[],
  lines: readonly string[],
): string {
  const own = dialect === 'password-login' ? `XPAY_DIALECT=${dialect} XPAY_BASE_URL=…` : `XPAY_DIALECT=${dialect}`;
  return `
DEMO: no xPay account is configured, so ${upstream}.

${accounts.map(({ username, secretKey, scope }) => `${username}:${secretKey}  ${scope}`.trimEnd()).join('\n')}

${lines.join('\n')}

To use your own account: ${own} XPAY_USERNAME=… XPAY_SECRET_KEY=… npm start
`;
}
