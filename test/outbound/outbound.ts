import type { LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  type TokenEvent,
  XPayAuthError,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, type XPayEmulatorOptions, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';

export const APP = { username: 'app@example.test', secretKey: 'app-secret-27182818' };
export const AUTHENTICATE = '/client/authenticate';
export const FIND = '/client/wallets/find';
export const CONFIRM = '/client/wallets/send/tron/confirm';
export const HOUR_MS = 3_600_000;
/** The counted lifetime of a token of 1 h: `Date` may have lost a second. */
export const COUNTED_HOUR_MS = HOUR_MS - 1_000;

/** The public services of a real module with an emulated upstream. Both use the same clock. */
export interface Outbound extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly xpay: XPayEmulator;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  /** All events of the token. */
  readonly events: TokenEvent[];
  /** Every log line, prefixed by its level. */
  readonly lines: string[];
  /** Nest's module, for tests that close it early. */
  readonly module: TestingModule;
  /** Number of token requests to the upstream. */
  logins(): number;
}

/**
 * @param options of the module; the account, the address and the clock are given
 * @param prepare scripts the emulator before the module boots
 * @param clock of the module and the emulator
 */
export async function startOutbound(
  options: XPayAuthOptions = {},
  emulator: XPayEmulatorOptions = {},
  prepare: (xpay: XPayEmulator) => void = () => undefined,
  clock = new ManualClock(),
): Promise<Outbound> {
  const xpay = await startXPayEmulator({ accounts: [APP], clock, tokenLifeMs: HOUR_MS, ...emulator });
  try {
    prepare(xpay);
    const lines: string[] = [];
    const module = await Test.createTestingModule({
      imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: APP, clock, ...options })],
    })
      .setLogger(collector(lines))
      .compile();
    const tokens = module.get(XPayTokenService);
    const events: TokenEvent[] = [];
    tokens.events.subscribe((event) => events.push(event));
    await module.init();
    return {
      clock,
      xpay,
      tokens,
      http: module.get(XPayHttpService),
      events,
      lines,
      module,
      logins: () => xpay.requests(AUTHENTICATE),
      [Symbol.asyncDispose]: async () => {
        await module.close();
        await xpay.stop();
      },
    };
  } catch (failure) {
    await xpay.stop();
    throw failure;
  }
}

/** Collects the output of Nest's loggers. Objects are printed with their content. */
export function collector(lines: string[]): LoggerService {
  const at =
    (level: string) =>
    (...words: unknown[]): void => {
      const shown = words.filter((word) => word !== undefined);
      const all = { depth: Infinity, showHidden: true };
      lines.push([level, ...shown.map((word) => (typeof word === 'string' ? word : inspect(word, all)))].join(' '));
    };
  return {
    log: at('log'),
    warn: at('warn'),
    error: at('error'),
    debug: at('debug'),
    verbose: at('verbose'),
    fatal: at('fatal'),
  };
}

/** Resolves once the condition holds, and lets sockets and promises proceed meanwhile. Rejects after 5 s. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still not so after 5 s: ${holds.toString()}`);
    await nextTurn();
  }
}

/** Returns the rejection. Fails the test if there is none, or if it is not an XPayAuthError. */
export async function failureOf(promise: Promise<unknown>): Promise<XPayAuthError> {
  const outcome = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof XPayAuthError) return outcome;
  throw new Error(
    `expected an XPayAuthError, got ${outcome === undefined ? 'success' : Object.prototype.toString.call(outcome)}`,
  );
}

/** Returns how many of `calls` successive callers are served. */
export async function served(calls: number, call: () => Promise<unknown>): Promise<number> {
  let count = 0;
  for (let i = 0; i < calls; i++) {
    count += await call().then(
      () => 1,
      () => 0,
    );
  }
  return count;
}
