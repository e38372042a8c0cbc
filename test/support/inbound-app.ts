import { Body, Controller, Get, HttpCode, Ip, Post, type Type } from '@nestjs/common';
import type { INestApplication, LoggerService } from '@nestjs/common';
import {
  type AuditEvent,
  Authenticated,
  CurrentUser,
  OptionalAuth,
  Principal,
  Public,
  Scopes,
  type Session,
  XPayAuditService,
  XPayAuthModule,
  type XPayAuthOptions,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayAccount, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type Platform, type RunningApp, type Serving, basic, startApp } from './start-app.js';

export const ada = { username: 'ada@example.test', secretKey: 'ada-secret-key', scopes: ['tme_user'] };
export const root = { username: 'root@example.test', secretKey: 'root-secret-key', scopes: ['tme_admin'] };
export const asAda = basic(ada.username, ada.secretKey);
export const asRoot = basic(root.username, root.secretKey);
/** Returns Basic credentials with Ada's name and a wrong key. */
export const wrong = (guess: string | number = 'wrong'): ReturnType<typeof basic> =>
  basic(ada.username, `guess-${guess}`);

/** One route for each kind of decorator, and a login. */
@Controller()
export class RoutesController {
  constructor(private readonly sessions: XPaySessionService) {}

  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username, scopes, instance }: Principal) {
    return { username, scopes, instance };
  }

  @Scopes('tme_user')
  @Get('user')
  user() {
    return 'user';
  }

  @Scopes('tme_admin')
  @Get('admin')
  admin() {
    return 'admin';
  }

  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser() caller: Principal | undefined) {
    return { username: caller?.username ?? 'nobody' };
  }

  @Public()
  @HttpCode(200)
  @Post('login')
  login(@Body() body: { username: string; secretKey: string }, @Ip() address: string): Promise<Session> {
    return this.sessions.login(body, { address });
  }
}

export interface InboundApp extends RunningApp {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  /** Every audit event so far. */
  readonly events: AuditEvent[];
  /** Every log line of the app, at any level. */
  readonly logged: string[];
  readonly sessions: XPaySessionService;
  /** Number of calls to the upstream to verify a caller. */
  asked(): number;
  /** Returns the status of a request with these headers. */
  status(path: string, headers?: Record<string, string>): Promise<number>;
}

export interface InboundSetting {
  readonly options?: XPayAuthOptions;
  readonly accounts?: readonly XPayAccount[];
  readonly controllers?: readonly Type[];
  readonly configure?: (app: INestApplication) => void;
  /** Whether the app trusts `X-Forwarded-For`. @default false */
  readonly trustProxy?: boolean;
  readonly serving?: Serving;
  /** The clock of the app and the emulator. */
  readonly clock?: ManualClock;
}

/**
 * Starts an app that verifies its callers with an emulator of xPay.stream. The app and the emulator use one clock, which advances
 * only when a test moves it.
 */
export async function startInbound(platform: Platform, setting: InboundSetting = {}): Promise<InboundApp> {
  const { clock = new ManualClock() } = setting;
  const xpay = await startXPayEmulator({ accounts: setting.accounts ?? [ada, root], clock });
  const logged: string[] = [];
  const running = await startApp(
    platform,
    {
      imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...setting.options })],
      controllers: [...(setting.controllers ?? [RoutesController])],
    },
    (app) => {
      app.useLogger(collector(logged));
      setting.configure?.(app);
    },
    { ...setting.serving, trustProxy: setting.trustProxy ?? false },
  );
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
    status: async (path, headers) => {
      const response = await running.fetch(path, headers === undefined ? {} : { headers });
      await response.arrayBuffer();
      return response.status;
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      await xpay.stop();
    },
  };
}

function collector(lines: string[]): LoggerService {
  const collect = (...parts: unknown[]): void => void lines.push(parts.map(String).join(' '));
  return { log: collect, error: collect, warn: collect, debug: collect, verbose: collect, fatal: collect };
}
