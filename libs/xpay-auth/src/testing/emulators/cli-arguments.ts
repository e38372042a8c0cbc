import { parseArgs } from 'node:util';

/** The upstreams that can be emulated. */
export const DIALECTS = ['xpay', 'gift-stream', 'password-login'] as const;

/** The request of the command line. `lifeMs` is the lifetime of a token in ms; `undefined`: that of the dialect. */
export type CliRequest =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'start';
      readonly dialect: (typeof DIALECTS)[number];
      readonly port: number;
      readonly lifeMs: number | undefined;
    };

/** An invalid command line. The message names the reason. */
export class UsageError extends Error {}

/** The text of `--help`. */
export const USAGE = `Starts an emulated upstream on 127.0.0.1. Prints its address and demo accounts.

  --dialect <name>  ${DIALECTS.join(' | ')}          default: xpay
  --port <number>   0: the system chooses a free port            default: 4010
  --life <time>     lifetime of a token: 500ms, 5s, 30m, 1h, 2d  default: that of the real upstream
  --help            prints this text`;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads the command line.
 *
 * @throws UsageError for an unknown option, dialect, port or time
 */
export function readArguments(args: readonly string[]): CliRequest {
  const { help, dialect: name, port: portText, life } = parse(args);
  if (help) return { kind: 'help' };
  const dialect = DIALECTS.find((known) => known === name);
  if (dialect === undefined) throw new UsageError(`--dialect: ${name} is not one of ${DIALECTS.join(', ')}`);
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!(port <= 65_535)) throw new UsageError(`--port: ${portText} is not a port between 0 and 65535`);
  return { kind: 'start', dialect, port, lifeMs: life === undefined ? undefined : readTime(life) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        dialect: { type: 'string', default: 'xpay' },
        port: { type: 'string', default: '4010' },
        life: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readTime(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS_MS[unit] ?? 0);
  if (ms > 0) return ms;
  throw new UsageError(`--life: ${text} is not a time; write 500ms, 5s, 30m, 1h or 2d`);
}
