// `npm run example -- fastify` runs an example against emulators of its upstreams, and prints what to try; see
// examples/README.md.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoAccounts, startGiftStreamEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';

const [user, admin] = demoAccounts();
const app = { username: 'this-app@example.test', secretKey: randomBytes(12).toString('base64url') };
const shops = ['shop-a', 'shop-b', 'shop-c'].map((name) => ({
  username: `${name}@example.test`,
  secretKey: randomBytes(12).toString('base64url'),
  scopes: ['tme_user'],
}));
const seller = { username: 'seller@example.test', secretKey: randomBytes(12).toString('base64url') };
const port = Number(process.env.PORT ?? 3000);

const xpay = await startXPayEmulator({ accounts: [user, admin, app, ...shops] });
const giftStream = await startGiftStreamEmulator({ accounts: [seller, app] });
const folder = mkdtempSync(join(tmpdir(), 'example-'));
const vault = join(folder, 'vault.json');
writeFileSync(vault, JSON.stringify({ xpay: app }), { mode: 0o600 });

const account = { XPAY_USERNAME: app.username, XPAY_SECRET_KEY: app.secretKey };
const giftAccount = { GIFT_BASE_URL: giftStream.url, GIFT_USERNAME: app.username, GIFT_SECRET_KEY: app.secretKey };
const [shopA, shopB, shopC] = shops;
const merchants = { 'shop-a': shopA, 'shop-b': shopB, 'shop-c': { ...shopC, suspended: true } };
const keys = { ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}` };
const always = [
  [200, 'me', user],
  [401, 'me', { ...user, secretKey: 'wrong' }],
  [403, 'wallets', user],
  [200, 'wallets', admin],
];

/** For each example: the variables in addition to `XPAY_BASE_URL`, the ports that it listens on, and the commands to try. */
const EXAMPLES = {
  accounts: {
    environment: { ...account, MERCHANTS: JSON.stringify(merchants) },
    ports: [port],
    tries: [
      ...always,
      [200, 'merchants/shop-a/wallets', admin],
      [200, 'merchants/shop-b/wallets', admin],
      [404, 'merchants/nobody/wallets', admin],
      [403, 'merchants/shop-c/wallets', admin],
      [403, 'merchants/shop-b/wallets', shopA],
      [200, 'my-wallets', shopA],
      [404, 'my-wallets', user],
    ],
  },
  'as-caller': {
    environment: account,
    ports: [port],
    tries: [...always, [200, 'own/wallets', user], [403, 'own/wallets', admin]],
  },
  fastify: { environment: account, ports: [port], tries: always },
  pages: {
    environment: account,
    ports: [port],
    tries: [...always, [200, 'tags', admin], [200, 'tags/more', admin], [403, 'tags', user]],
  },
  redis: {
    environment: { ...account, ...keys },
    ports: [port, port + 1],
    tries: [...always, [200, 'me', user, port + 1]],
  },
  'two-instances': {
    environment: { ...account, ...giftAccount },
    ports: [port],
    tries: [...always, [200, 'gifts/sites', seller], [401, 'gifts/sites', user]],
  },
  vault: { environment: { VAULT_FILE: vault }, ports: [port], tries: always },
};

const name = process.argv[2] ?? '';
if (Object.hasOwn(EXAMPLES, name)) {
  process.exitCode = await run(EXAMPLES[name]);
} else {
  console.error(`Which example? One of: ${Object.keys(EXAMPLES).join(', ')}`);
  process.exitCode = 2;
}
await Promise.all([xpay.stop(), giftStream.stop()]);
rmSync(folder, { recursive: true });

/** Runs the example until it ends or is interrupted. When one of its processes ends, the others are stopped. */
async function run({ environment, ports, tries }) {
  const file = resolve(import.meta.dirname, '../examples/dist', `${name}.js`);
  const inherited = { ...process.env, XPAY_BASE_URL: xpay.url, ...environment };
  const processes = ports.map((own) =>
    spawn(process.execPath, [file], { stdio: 'inherit', env: { ...inherited, PORT: String(own) } }),
  );
  const stop = () => processes.forEach((one) => one.kill());
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const endings = processes.map((one) => once(one, 'exit'));
  const ended = Promise.race(endings).finally(stop);
  const listening = Promise.all(ports.map(untilListening)).then(() => console.log(tries.map(line).join('\n')));
  await Promise.race([listening, ended]);
  const codes = (await Promise.all(endings)).map(([code]) => code ?? 0);
  return Math.max(...codes);
}

async function untilListening(own) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
    const socket = connect(own, '127.0.0.1');
    const answers = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (answers) return;
  }
}

function line([status, path, { username, secretKey }, own = port]) {
  return `${status}  curl -i -u ${username}:${secretKey} http://127.0.0.1:${own}/${path}`;
}
