#!/usr/bin/env node
import { type CliRequest, USAGE, UsageError, readArguments } from './cli-arguments.js';
import { demoAccounts, environmentLines } from './demo-accounts.js';
import { startGiftStreamEmulator } from './gift-stream.emulator.js';
import { startPasswordLoginEmulator } from './password-login.emulator.js';
import { startXPayEmulator } from './xpay.emulator.js';

const STARTERS = {
  xpay: startXPayEmulator,
  'gift-stream': startGiftStreamEmulator,
  'password-login': startPasswordLoginEmulator,
} as const;

/** Starts an emulator. Returns its address, its accounts and the variables for an app. */
async function start({ dialect, port, lifeMs }: Extract<CliRequest, { kind: 'start' }>): Promise<string> {
  const accounts = demoAccounts();
  const emulator = await STARTERS[dialect]({ accounts, port, ...(lifeMs !== undefined && { tokenLifeMs: lifeMs }) });
  const stop = (): void => void emulator.stop();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const shown = accounts.map(({ username, secretKey, scopes }) =>
    [username, secretKey, ...(dialect === 'xpay' ? [scopes?.join(' ')] : [])].join('  '),
  );
  const variables = accounts.slice(0, 1).map((account) => environmentLines(dialect, emulator.url, account));
  const lines = [`emulated ${dialect} at ${emulator.url}`, ...shown.map((line) => `  ${line}`)];
  return [...lines, 'for the .env of an app:', ...variables].join('\n');
}

try {
  const request = readArguments(process.argv.slice(2));
  process.stdout.write(`${request.kind === 'help' ? USAGE : await start(request)}\n`);
} catch (error) {
  const isUsage = error instanceof UsageError;
  const reason = error instanceof Error ? error.message : String(error);
  const message = reason.includes('EADDRINUSE')
    ? `${reason}. Choose another port with --port, or 0 for a free one.`
    : reason;
  process.stderr.write(isUsage ? `${message}\n\n${USAGE}\n` : `${message}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
