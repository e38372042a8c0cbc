import { parseArgs } from 'node:util';

/** The options of both commands. */
interface CommonRequest {
  /** The files with variables, the first one with precedence, as the option `envFilePath` of `ConfigModule.forRoot()`. */
  readonly envFiles: readonly string[];
  /** The options `envPrefix` and `name` of `XPayAuthModule.forRoot()`. */
  readonly prefix: string | undefined;
  readonly name: string | undefined;
  readonly json: boolean;
}

export interface DoctorRequest extends CommonRequest {
  readonly kind: 'doctor';
  /** Whether to log in once with the app account. */
  readonly login: boolean;
  /** The trusted proxies of the app. `undefined`: those of the variable `TRUST_PROXY`. */
  readonly trustProxy: string | undefined;
}

export interface WhoamiRequest extends CommonRequest {
  readonly kind: 'whoami';
  /** `undefined`: the username is read together with the secret key. */
  readonly username: string | undefined;
}

/** The request of the command line. */
export type CliRequest = { readonly kind: 'help' | 'version' } | DoctorRequest | WhoamiRequest;

/** An invalid command line. The message names the reason and contains no value, because a value may be a secret. */
export class UsageError extends Error {}

/** The text of `--help`. */
export const USAGE = `Usage: npx nestjs-xpay-auth <command> [options]

Run it in the folder of your app. It reads the variables of XPayAuthModule.forRoot(), also from .env.

Commands
  doctor             checks options, packages, trusted proxies, DNS, TLS, clocks, the app account and Redis
  whoami [username]  checks credentials of a caller at the upstream; asks for the secret key, or reads it from standard
                     input (without a username, its first line is the username); never pass a secret as an argument

Options
  --env-file-path <path> file with variables, repeatable, the first one has precedence    default: .env
  --name <name>          the option name of a named instance
  --prefix <prefix>      the option envPrefix                                             default: XPAY_
  --json                 prints JSON
  --login                doctor: logs in once with the app account; this costs one attempt at the upstream
  --trust-proxy <value>  doctor: the trusted proxies of your app                          default: TRUST_PROXY
  --help, --version

Exit code: 0 without failures, 1 with a failure, 2 for a wrong command line.`;

/**
 * Reads the command line.
 *
 * @throws UsageError for an unknown command or option, a missing value, or an argument that may contain a secret
 */
export function readArguments(args: readonly string[]): CliRequest {
  const { values, positionals } = parse(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const [kind, ...rest] = positionals;
  const { prefix, name, json, login, 'trust-proxy': trustProxy, 'env-file-path': envFiles } = values;
  const common = { envFiles, prefix, name, json };
  if (kind === 'doctor') {
    if (rest.length > 0) throw new UsageError('doctor: accepts no arguments besides options');
    return { kind, ...common, login, trustProxy };
  }
  if (kind !== 'whoami') throw new UsageError(kind === undefined ? 'A command is missing' : 'There is no such command');
  if (login || trustProxy !== undefined) throw new UsageError('whoami: --login and --trust-proxy belong to doctor');
  const [username] = rest;
  if (rest.length > 1 || username?.includes(':') === true) {
    throw new UsageError(
      'whoami: accepts one argument, a username without a colon. Never pass a secret as an argument: other users of the ' +
        'machine can read it. If you passed one, replace it.',
    );
  }
  return { kind, ...common, username };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        // Named after `envFilePath` of Nest. Node itself reads `--env-file` anywhere in the command line, applies the file's
        // NODE_OPTIONS, and ends if the file is missing.
        'env-file-path': { type: 'string', multiple: true, default: [] },
        name: { type: 'string' },
        prefix: { type: 'string' },
        json: { type: 'boolean', default: false },
        login: { type: 'boolean', default: false },
        'trust-proxy': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    });
  } catch (thrown) {
    // Node's message may contain an argument, such as a secret that begins with a hyphen. Only the name of a known option is kept,
    // and the error is not a `cause`.
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new UsageError('There is no such option');
    const [option = ''] = /(?<=')-{1,2}[\w-]+/.exec(message) ?? [];
    throw new UsageError(`Option ${option}: wrong or missing value`);
  }
}
