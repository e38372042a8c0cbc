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

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string, exitCode: number): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = exitCode;
}

async function start({ dialect, port, lifeMs }: Extract<CliRequest, { kind: 'start' }>): Promise<void> {
  const accounts = demoAccounts();
  const emulator = await STARTERS[dialect]({ accounts, port, ...(lifeMs !== undefined && { tokenLifeMs: lifeMs }) });
  const stop = (): void => void emulator.stop();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  say(`emulated ${dialect} at ${emulator.url}`);
  for (const { username, secretKey, scopes } of accounts)
    say(`  ${username}  ${secretKey}${dialect === 'xpay' ? `  ${scopes?.join(' ')}` : ''}`);
  const [account] = accounts;
  if (account !== undefined) say(`for the .env of an app:\n${environmentLines(dialect, emulator.url, account)}`);
}

try {
  const request = readArguments(process.argv.slice(2));
  if (request.kind === 'help') say(USAGE);
  else await start(request);
} catch (error) {
  if (error instanceof UsageError) fail(`${error.message}\n\n${USAGE}`, 2);
  else fail(error instanceof Error ? error.message : String(error), 1);
}
