// The commands of the packed library in an app: `doctor` finds no failure against an emulator, and `whoami` reads a secret key
// from standard input.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

const account = { username: 'app@example.test', secretKey: 'secret-key-of-the-app', scopes: ['tme_user'] };
const upstream = await startXPayEmulator({ accounts: [account] });
const variables = {
  XPAY_USERNAME: account.username,
  XPAY_SECRET_KEY: account.secretKey,
  XPAY_BASE_URL: upstream.url,
};

const doctor = await run(['doctor', '--login']);
const lines = doctor.findings.map(({ check, status, message }) => `${status} ${check}: ${message}`);
assert.equal(doctor.ok, true, lines.join('\n'));
assert.deepEqual(
  doctor.findings.filter(({ status }) => status !== 'ok'),
  [],
  'there is no warning',
);
assert.match(lines.join('\n'), /^ok account: Logged in as app@example\.test/m);

const whoami = await run(['whoami', account.username], account.secretKey);
assert.deepEqual(whoami.caller.scopes, account.scopes);
await upstream.stop();
console.log('doctor and whoami: ok');

/** Runs a command as a user does. */
async function run(args, input = '') {
  const child = spawn('npx', ['--no-install', 'nestjs-xpay-auth', ...args, '--json'], {
    env: { ...process.env, ...variables },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(input);
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  await once(child, 'close');
  assert.ok(!output.includes(account.secretKey), 'the output contains no secret');
  return JSON.parse(output);
}
