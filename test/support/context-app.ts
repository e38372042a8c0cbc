import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import {
  type AuditEvent,
  XPayAuditService,
  XPayAuthModule,
  type XPayAuthOptions,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada, root } from './inbound-app.js';
import { type Platform, startApp } from './start-app.js';

const both = { username: 'both@example.test', secretKey: 'both-secret-key', scopes: ['tme_user', 'tme_admin'] };

export interface ContextApp extends AsyncDisposable {
  readonly app: INestApplication;
  /** Such as http://127.0.0.1:41234 */
  readonly url: string;
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly events: AuditEvent[];
  /** Log lines of the app, by level. */
  readonly logged: { readonly level: string; readonly line: string }[];
  readonly sessions: XPaySessionService;
  /** Number of calls to the upstream to verify a caller. */
  asked(): number;
}

export interface ContextSetting extends ModuleMetadata {
  readonly options?: XPayAuthOptions;
  readonly platform?: Platform;
  readonly configure?: (app: INestApplication) => void;
}

/**
 * Starts an app that may have resolvers, gateways or message handlers as well as controllers. It verifies its callers with an
 * emulator. The app and the emulator use one clock, which advances only when a test moves it.
 */
export async function startContextApp(setting: ContextSetting): Promise<ContextApp> {
  const { options, platform = 'express', configure, imports = [], ...metadata } = setting;
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [ada, root, both], clock });
  const logged: ContextApp['logged'] = [];
  const running = await startApp(
    platform,
    { ...metadata, imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options }), ...imports] },
    (app) => {
      app.useLogger(collector(logged));
      configure?.(app);
    },
  ).catch(async (thrown: unknown) => {
    await xpay.stop();
    throw thrown;
  });
  const events: AuditEvent[] = [];
  running.app.get(XPayAuditService).events.subscribe((event) => events.push(event));
  return {
    ...running,
    xpay,
    clock,
    events,
    logged,
    sessions: running.app.get(XPaySessionService),
    asked: () => xpay.requests('/client/authenticate'),
    async [Symbol.asyncDispose]() {
      await running.stop();
      await xpay.stop();
    },
  };
}

function collector(logged: { level: string; line: string }[]): LoggerService {
  const at =
    (level: string) =>
    (...parts: unknown[]): void =>
      void logged.push({ level, line: parts.map(String).join(' ') });
  return { log: at('log'), error: at('error'), warn: at('warn'), debug: at('debug'), verbose: at('verbose') };
}
