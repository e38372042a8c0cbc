import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  Get,
  HttpCode,
  HttpException,
  Inject,
  Module,
  type ModuleMetadata,
  NotFoundException,
  Post,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import {
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  XPayTokenService,
  failureHeaders,
} from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada } from './inbound-app.js';
import { type Platform, type RunningApp, startApp } from './start-app.js';

/** A filter of the app, as the documentation of Nest shows it. It does not use this library. */
abstract class AppFilter implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapterHost;
    const response: unknown = host.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(this.headersOf(thrown, host))) {
      httpAdapter.setHeader(response, name, value);
    }
    const known = thrown instanceof HttpException;
    const status = known ? thrown.getStatus() : 500;
    const body = known ? thrown.getResponse() : { statusCode: 500, message: (thrown as Error).message };
    httpAdapter.reply(response, { ...(body as object), answeredBy: 'the app' }, status);
  }

  protected headersOf(_thrown: unknown, _host: ArgumentsHost): Record<string, string> {
    return {};
  }
}

/** A filter for every error. */
@Catch()
export class CatchAllFilter extends AppFilter {}

/** A filter for Nest's own exceptions. */
@Catch(HttpException)
export class HttpExceptionFilter extends AppFilter {}

/** A filter for every error that also sends the headers of failureHeaders(). */
@Catch()
export class CatchAllFilterWithHeaders extends AppFilter {
  protected override headersOf = failureHeaders;
}

@Catch(HttpException)
export class HttpExceptionFilterWithHeaders extends AppFilter {
  protected override headersOf = failureHeaders;
}

@Controller()
class FailingController {
  constructor(
    @Inject(XPaySessionService) private readonly sessions: XPaySessionService,
    @Inject(XPayTokenService) private readonly tokens: XPayTokenService,
    @Inject(XPayHttpService) private readonly xpay: XPayHttpService,
  ) {}

  @HttpCode(200)
  @Post('login')
  login(@Body() body: { username: string; secretKey: string }) {
    return this.sessions.login(body);
  }

  @Post('logout')
  logout(@Body() { token }: { token: string }) {
    return this.sessions.logout(token);
  }

  @Get('token')
  async token() {
    await this.tokens.getToken();
  }

  @Post('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find');
  }

  @Scopes('tme_admin')
  @Get('admin')
  admin() {
    return 'admin';
  }

  @UseXPay('other')
  @Get('other')
  other() {
    return 'other';
  }

  @Get('missing')
  missing() {
    throw new NotFoundException('no such wallet');
  }
}

/** The ways in which an app registers a filter. */
export const registrations = {
  'useGlobalFilters()': 'global',
  'an APP_FILTER of a module before ours': 'before',
  'an APP_FILTER of a module after ours': 'after',
  'an APP_FILTER of the root module': 'root',
  '@UseFilters() of the controller': 'controller',
} as const;
export type Registration = (typeof registrations)[keyof typeof registrations];

export interface FilteredApp extends RunningApp {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  /** Sends a POST with this JSON. */
  post(path: string, body: object, headers?: Record<string, string>): Promise<Response>;
}

@Module({})
class FilterModule {}

/**
 * Starts an app with its own filter, and an emulator of xPay.stream. Both use one clock. The realm of the unnamed instance is
 * `realm`, and that of the instance `other` is `other`.
 */
export async function startFilteredApp(
  platform: Platform,
  registration: Registration,
  filter: Type<AppFilter>,
  realm = 'xpay',
): Promise<FilteredApp> {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const xpay = await startXPayEmulator({ accounts: [ada], clock });
  const { username, secretKey } = ada;
  const common = { baseUrl: xpay.url, clock };
  const ours = [
    XPayAuthModule.forRoot({ ...common, credentials: { username, secretKey }, store, verification: { realm } }),
    XPayAuthModule.forRoot({ ...common, name: 'other', verification: { realm: 'other' } }),
  ];
  const provided = [{ provide: APP_FILTER, useClass: filter }];
  const theirs: DynamicModule = { module: FilterModule, providers: provided };
  // Each app has a new class, because decorators change a class permanently.
  class Routes extends FailingController {}
  if (registration === 'controller') UseFilters(filter)(Routes);
  Controller()(Routes);
  const metadata: ModuleMetadata = {
    imports: [...(registration === 'before' ? [theirs] : []), ...ours, ...(registration === 'after' ? [theirs] : [])],
    providers: registration === 'root' ? provided : [],
    controllers: [Routes],
  };
  const running = await startApp(platform, metadata, (app) => {
    if (registration === 'global') app.useGlobalFilters(new filter(app.get(HttpAdapterHost)));
  });
  return {
    ...running,
    xpay,
    clock,
    store,
    post: (path, body, headers) =>
      running.fetch(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await running.stop();
      await xpay.stop();
    },
  };
}
