// The app of every example. The examples differ in their import of XPayAuthModule.
import 'reflect-metadata';
import { Body, Controller, type DynamicModule, Get, Module, Post, Req, type Type } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import {
  Authenticated,
  type Credentials,
  CurrentUser,
  type IncomingRequest,
  type Principal,
  Public,
  Scopes,
  type Session,
  XPayHttpService,
  XPaySessionService,
} from 'nestjs-xpay-auth';

@Controller()
export class ReportsController {
  constructor(
    private readonly xpay: XPayHttpService,
    private readonly sessions: XPaySessionService,
  ) {}

  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username, scopes }: Principal): object {
    return { username, scopes };
  }

  @Scopes('tme_admin')
  @Get('wallets')
  wallets(): Promise<unknown> {
    return this.xpay.post('/client/wallets/find', { page: 1, pageSize: 10 });
  }

  @Public()
  @Post('login')
  login(@Body() credentials: Credentials, @Req() request: IncomingRequest): Promise<Session> {
    return this.sessions.login(credentials, { request }); // also counts failed attempts by address
  }
}

@Module({})
class AppModule {}

/** The app with the imports and the controllers of an example. */
export function appWith(imports: DynamicModule[], ...controllers: Type[]): DynamicModule {
  return { module: AppModule, imports, controllers: [ReportsController, ...controllers] };
}

/** Runs the app on loopback, on `PORT`, with Express unless an adapter is passed. */
export async function serve(app: DynamicModule, adapter?: AbstractHttpAdapter): Promise<void> {
  const options = { logger: ['warn', 'error'] as ('warn' | 'error')[] };
  const nest = await (adapter === undefined
    ? NestFactory.create(app, options)
    : NestFactory.create(app, adapter, options));
  nest.enableShutdownHooks();
  await nest.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
}
