import { type CliRequest, USAGE, UsageError, readArguments } from './cli-arguments.js';
import { checkNode, checkPackages, manifest } from './installed-packages.js';
import { Report } from './report.js';
import type { Terminal } from './terminal.js';

type Command = Exclude<CliRequest, { kind: 'help' | 'version' }>;

/** Runs a command line in the folder of an app. Returns the exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const request = readArguments(args);
    if (request.kind === 'doctor' || request.kind === 'whoami') return await execute(request, terminal);
    terminal.stdout.write(`${request.kind === 'help' ? USAGE : manifest.version}\n`);
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof UsageError)) throw thrown;
    terminal.stderr.write(`${thrown.message}\nRun npx nestjs-xpay-auth --help for the usage.\n`);
    return 2;
  }
}

async function execute(request: Command, terminal: Terminal): Promise<number> {
  const report = new Report();
  const isSupported = checkNode(report);
  if (request.kind === 'doctor') checkPackages(report, process.cwd());
  // The other checks use features that old versions of Node lack.
  const checks = isSupported ? await loadChecks(report) : undefined;
  try {
    if (request.kind === 'doctor') await checks?.examine(report, request);
    else await checks?.identify(report, request, terminal);
  } catch (thrown) {
    if (thrown instanceof UsageError) throw thrown;
    // The message of an unexpected error may contain a secret.
    const message = `The checks ended with an unexpected error (${thrown instanceof Error ? thrown.name : typeof thrown})`;
    report.failure('load', message, 'Report this output to the maintainers of the package.');
  }
  terminal.stdout.write(`${render(report, request, terminal)}\n`);
  return report.hasFailed ? 1 : 0;
}

/** Loads the checks that need the required peers. Adds a failure if a peer is missing. */
async function loadChecks(report: Report): Promise<typeof import('./checks.js') | undefined> {
  try {
    return await import('./checks.js');
  } catch (thrown) {
    const { code = 'no reason given' } = thrown as NodeJS.ErrnoException;
    const message = `${manifest.name} cannot be loaded (${code}), so the other checks did not run`;
    report.failure('load', message, 'Run npx nestjs-xpay-auth doctor, and install the packages that it names.');
    return undefined;
  }
}

/** The text has colours only on a terminal (https://no-color.org). */
function render(report: Report, { kind, json }: Command, { stdout }: Terminal): string {
  const { name, version } = manifest;
  if (json) return report.toJson(kind, version);
  const { NO_COLOR, TERM } = process.env;
  return report.toText(`${name} ${version} ${kind}`, stdout.isTTY === true && !NO_COLOR && TERM !== 'dumb');
}
