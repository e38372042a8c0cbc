import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { run } from '../../libs/xpay-auth/src/cli/run.js';

/** The world of one command. */
export interface CommandSettings {
  /** The only variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files in the working directory, by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly isTTY?: boolean;
  /** Secrets besides those in the variables and in standard input. */
  readonly secrets?: readonly string[];
}

/** A finding of `doctor --json`. */
export interface PrintedFinding {
  readonly check: string;
  readonly status: string;
  readonly message: string;
  readonly fix?: string;
}

/** The result of one command. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The parsed standard output of a command with `--json`. */
  readonly json: {
    readonly ok: boolean;
    readonly version: string;
    readonly caller?: Readonly<Record<string, unknown>>;
    readonly options?: readonly { readonly option: string; readonly value: string; readonly source: string }[];
    readonly findings: readonly PrintedFinding[];
  };
  /** Returns the findings of one check. */
  readonly of: (check: string) => readonly PrintedFinding[];
}

/**
 * Runs a command of `nestjs-xpay-auth` in a new folder. Throws if the output contains a secret, if a failure has no fix, or if the
 * exit code contradicts the findings.
 */
export async function runCommand(
  args: readonly string[],
  { env = {}, files = {}, stdin = '', isTTY = false, secrets = [] }: CommandSettings = {},
): Promise<CommandResult> {
  const folder = mkdtempSync(join(tmpdir(), 'command-line-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const outside = { cwd: process.cwd(), env: process.env };
  const [stdout, stderr] = [new Collected(), new Collected()];
  try {
    process.chdir(folder);
    process.env = { ...env };
    const terminal = { stdin: Readable.from([stdin]), stdout: Object.assign(stdout, { isTTY }), stderr };
    const code = await run(args, terminal);
    assertNoSecrets(stdout.text + stderr.text, [...secrets, ...secretsOf({ env, files, stdin })]);
    return result(code, stdout.text, stderr.text);
  } finally {
    process.env = outside.env;
    process.chdir(outside.cwd);
    rmSync(folder, { recursive: true, force: true });
  }
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function result(code: number, stdout: string, stderr: string): CommandResult {
  const json = (stdout.startsWith('{') ? JSON.parse(stdout) : { findings: [] }) as CommandResult['json'];
  const { findings } = json;
  const hasFailed = findings.some(({ status }) => status === 'failure');
  if (stdout.startsWith('{') && (code !== (hasFailed ? 1 : 0) || json.ok === hasFailed)) {
    throw new Error(`The exit code ${code} contradicts the findings:\n${stdout}`);
  }
  const lacking = findings.find(({ status, fix = '' }) => status !== 'ok' && fix.length < 10);
  if (lacking !== undefined) throw new Error(`No fix: ${lacking.message}`);
  return { code, stdout, stderr, json, of: (check) => findings.filter((finding) => finding.check === check) };
}

/** Throws an error that names no secret. */
export function assertNoSecrets(text: string, secrets: readonly string[]): void {
  const spellings = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    JSON.stringify(secret).slice(1, -1),
  ]);
  const found = spellings.findIndex((spelling) => text.includes(spelling));
  if (found >= 0) throw new Error(`The output contains secret ${Math.floor(found / 5)} in spelling ${found % 5}`);
}

/** The secrets of the variables and of standard input, whose last line is a secret key. */
function secretsOf({ env = {}, files = {}, stdin = '' }: CommandSettings): string[] {
  const lines = Object.values(files).flatMap((text) => text.split('\n'));
  const variables = [
    ...Object.entries(env),
    ...lines.map((line) => [line.split('=')[0] ?? '', line.replace(/^[^=]*=/, '')]),
  ];
  const values = variables.flatMap(([name = '', value = '']) => {
    if (name.endsWith('SECRET_KEY')) return [value];
    if (name.endsWith('ENCRYPTION_KEYS')) return value.split(',').map((key) => key.replace(/^\w+:/, ''));
    return name.endsWith('REDIS_URL') && URL.canParse(value) ? [new URL(value).password] : [];
  });
  return [...values, stdin.trimEnd().split('\n').at(-1) ?? ''].filter((secret) => secret.length > 3);
}
