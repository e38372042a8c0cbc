// A CommonJS app of Nest 11, as `nest new` of that version creates it: `import` becomes `require`, and Node loads the
// library, an ES module, through it.
import 'reflect-metadata';
import assert = require('node:assert/strict');
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  Get,
  HttpException,
  Inject,
  Injectable,
  Module,
  Post,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost, NestFactory } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  CurrentUser,
  InjectXPay,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  XPayTokenService,
  failureHeaders,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

const user = { username: 'user@example.test', secretKey: 'user-key' };
const admin = { username: 'admin@example.test', secretKey: 'admin-key', scopes: ['tme_admin'] };

@Injectable()
class Vault {
  readonly account = user;
}

@Module({ providers: [Vault], exports: [Vault] })
class VaultModule {}

/** Responds as a filter of the app does: it uses only Nest's HttpException. */
class AppFilter implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapterHost;
    const response: unknown = host.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(failureHeaders(thrown, host))) {
      httpAdapter.setHeader(response, name, value);
    }
    const known = thrown instanceof HttpException;
    const body = known ? thrown.getResponse() : { message: String(thrown) };
    httpAdapter.reply(response, { ...(body as object), answeredBy: 'the app' }, known ? thrown.getStatus() : 500);
  }
}

@Catch()
class CatchAllFilter extends AppFilter {}

@Catch(HttpException)
class HttpExceptionFilter extends AppFilter {}

@Module({})
class FilterModule {
  static of(filter: typeof AppFilter): DynamicModule {
    return { module: FilterModule, providers: [{ provide: APP_FILTER, useClass: filter }] };
  }
}

@Controller()
class FailingController {
  constructor(
    private readonly xpay: XPayHttpService,
    private readonly sessions: XPaySessionService,
  ) {}

  @Post('login')
  login() {
    return this.sessions.login({ ...user, secretKey: 'wrong' });
  }

  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find');
  }
}

/** D11: the correct status, errorCode and headers, whatever filter the app has and however it is registered. */
async function checkFilters(platform: string, account: typeof user): Promise<void> {
  const xpay = await startXPayEmulator({ accounts: [user] });
  for (const filter of [CatchAllFilter, HttpExceptionFilter]) {
    for (const registration of ['global', 'before', 'after']) {
      const ours = XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: account });
      const theirs = FilterModule.of(filter);

      @Module({
        imports: registration === 'global' ? [ours] : registration === 'before' ? [theirs, ours] : [ours, theirs],
        controllers: [FailingController],
      })
      class FilteredModule {}

      const app = await NestFactory.create(FilteredModule, adapterOf(platform), { logger: false });
      if (registration === 'global') app.useGlobalFilters(new filter(app.get(HttpAdapterHost)));
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      const failed = async (path: string, method: string) => {
        const answer = await fetch(`${url}/${path}`, { method });
        const { errorCode, message } = (await answer.json()) as Record<string, unknown>;
        return [answer.status, errorCode, message, answer.headers.get('www-authenticate')];
      };
      assert.deepEqual(await failed('login', 'POST'), [
        401,
        'invalid_credentials',
        'Invalid credentials',
        'Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"',
      ]);
      assert.deepEqual(await failed('wallets', 'GET'), [
        502,
        'credentials_rejected',
        'The upstream service refused this application',
        null,
      ]);
      await app.close();
    }
  }
  await xpay.stop();
}

function adapterOf(platform: string) {
  return platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
}

@Controller()
class RoutesController {
  constructor(
    private readonly xpay: XPayHttpService,
    private readonly sessions: XPaySessionService,
    @InjectXPay(XPayTokenService, 'other') private readonly otherTokens: XPayTokenService,
  ) {}

  @Scopes('tme_user')
  @Get('user')
  user(@CurrentUser() { username }: Principal) {
    return { username };
  }

  @OptionalAuth()
  @Get('maybe')
  maybe(@CurrentUser() caller?: Principal) {
    return { username: caller?.username ?? 'nobody' };
  }

  @UseXPay('other')
  @Get('other')
  other(@CurrentUser() { instance }: Principal) {
    return { instance, state: this.otherTokens.status().state };
  }

  @Public()
  @UseGuards(AuthGuard('xpay'))
  @Get('passport')
  passport() {
    return {};
  }

  @Public()
  @Get('wallets')
  wallets() {
    return this.xpay.post('/client/wallets/find');
  }

  @Public()
  @Post('login')
  async login() {
    const { accessToken } = await this.sessions.login(user);
    return { accessToken };
  }
}

function basic(username: string, key: string): string {
  return `Basic ${Buffer.from(`${username}:${key}`).toString('base64')}`;
}

async function main(platform: string): Promise<void> {
  const xpay = await startXPayEmulator({ accounts: [user, admin] });
  const other = await startXPayEmulator({ accounts: [user] });

  @Module({
    imports: [
      XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: user, globalGuards: true }),
      XPayAuthModule.forRootAsync({
        name: 'other',
        imports: [VaultModule],
        inject: [Vault],
        useFactory: ({ account }: Vault) => ({ baseUrl: other.url, credentials: account }),
      }),
    ],
    controllers: [RoutesController],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, adapterOf(platform), { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const call = async (path: string, authorization?: string, method = 'GET') => {
    const answer = await fetch(`${url}/${path}`, {
      method,
      headers: authorization === undefined ? {} : { authorization },
    });
    const body = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, body, challenge: answer.headers.get('www-authenticate') };
  };
  const asUser = basic(user.username, user.secretKey);

  assert.deepEqual((await call('user', asUser)).body, { username: user.username });
  const nobody = await call('user');
  assert.deepEqual([nobody.status, nobody.body['errorCode']], [401, 'missing_credentials']);
  assert.match(nobody.challenge ?? '', /^Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"$/);
  assert.equal((await call('user', basic(user.username, 'wrong'))).status, 401);
  const denied = await call('user', basic(admin.username, admin.secretKey));
  assert.deepEqual([denied.status, denied.challenge], [403, 'Bearer error="insufficient_scope", scope="tme_user"']);
  assert.deepEqual((await call('maybe')).body, { username: 'nobody' });
  assert.deepEqual((await call('other', asUser)).body, { instance: 'other', state: 'none' });
  assert.deepEqual([(await call('passport', asUser)).status, (await call('passport')).status], [200, 401]);
  const { accessToken } = (await call('login', undefined, 'POST')).body as { accessToken: string };
  assert.equal((await call('user', `Bearer ${accessToken}`)).status, 200);
  assert.equal((await call('wallets')).status, 200);
  await xpay.pause();
  assert.deepEqual(
    [(await call('wallets')).body['errorCode'], (await call('user', asUser)).status],
    ['upstream_unavailable', 200],
  );
  assert.equal((await call('user', basic(user.username, 'another'))).status, 503);

  await app.close();
  await Promise.all([xpay.stop(), other.stop()]);
  await checkFilters(platform, { ...user, secretKey: 'not the key of the app' });
  console.log(`Nest 11 in CommonJS on ${platform}, Node ${process.version}: ok`);
}

void main(process.argv[2] ?? 'express');
