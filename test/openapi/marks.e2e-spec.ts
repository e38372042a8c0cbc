import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiBearerAuth, ApiSecurity, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import {
  AnyScope,
  Authenticated,
  OptionalAuth,
  Public,
  Scopes,
  ScopesGuard,
  UseXPay,
  XPayAuthGuard,
  XPayAuthModule,
} from 'nestjs-xpay-auth';
import { documentOf, operationAt } from '../support/openapi.js';
import { type Platform, type RunningApp, platforms, startApp } from '../support/start-app.js';

const baseUrl = 'http://127.0.0.1:1';

@Controller('marks')
class MarksController {
  @Scopes('tme_user', 'tme_admin')
  @Get('both')
  both() {}

  @AnyScope('tme_user', 'tme_admin')
  @Get('either')
  either() {}

  @Scopes('tme_admin')
  @AnyScope('tme_user', 'reports:read')
  @Get('combined')
  combined() {}

  @Authenticated()
  @Get('authenticated')
  authenticated() {}

  @OptionalAuth()
  @Get('optional')
  optional() {}

  @Get('unmarked')
  unmarked() {}
}

@Controller('class')
@Scopes('tme_admin')
class MarkedController {
  @Get('inherited')
  inherited() {}

  @Scopes('tme_user')
  @Get('own')
  own() {}

  @Public()
  @Get('public')
  public() {}
}

abstract class BaseController {
  @Get()
  read() {}

  @Scopes('tme_user')
  @Post()
  write() {}
}

@Controller('open')
@Public()
class OpenController extends BaseController {}

@Controller('closed')
@Scopes('tme_admin')
class ClosedController extends BaseController {}

const either = (...scopes: string[]) => [{ basic: scopes }, { bearer: scopes }];

function requireAll(builder: DocumentBuilder): DocumentBuilder {
  return builder.addSecurityRequirements('basic').addSecurityRequirements('bearer');
}

async function start(
  platform: Platform = 'fastify',
  options: Parameters<typeof XPayAuthModule.forRoot>[0] = {},
  controllers: Type[] = [MarksController, MarkedController, OpenController, ClosedController],
): Promise<RunningApp> {
  return startApp(platform, { imports: [XPayAuthModule.forRoot({ baseUrl, ...options })], controllers });
}

const securityAt = (app: RunningApp, at: string, setting?: Parameters<typeof documentOf>[1]) =>
  operationAt(documentOf(app.app, setting), at).security;

describe.each(platforms)('security requirements in the OpenAPI document of an app on %s', (platform) => {
  it.each([
    ['get /marks/both', either('tme_user', 'tme_admin')],
    [
      'get /marks/either',
      [{ basic: ['tme_user'] }, { basic: ['tme_admin'] }, { bearer: ['tme_user'] }, { bearer: ['tme_admin'] }],
    ],
    [
      'get /marks/combined',
      ['basic', 'bearer'].flatMap((scheme) => [
        { [scheme]: ['tme_admin', 'tme_user'] },
        { [scheme]: ['tme_admin', 'reports:read'] },
      ]),
    ],
    ['get /marks/authenticated', either()],
    ['get /marks/optional', [{}, ...either()]],
    ['get /marks/unmarked', undefined],
    ['get /class/inherited', either('tme_admin')],
    ['get /class/own', either('tme_user')],
    ['get /class/public', []],
    ['get /open', []],
    ['get /closed', either('tme_admin')],
    ['post /open', either('tme_user')],
    ['post /closed', either('tme_user')],
  ])('I12, I14 · %s', async (at, security) => {
    await using app = await start(platform);
    expect(securityAt(app, at)).toEqual(security);
  });
});

describe('security requirements in the OpenAPI document', () => {
  it('globalGuards protect undecorated routes, and no public ones', async () => {
    await using app = await start('fastify', { globalGuards: true });
    const document = documentOf(app.app);
    expect(operationAt(document, 'get /marks/unmarked').security).toEqual(either());
    expect(operationAt(document, 'get /class/public').security).toEqual([]);
    expect(operationAt(document, 'get /open').security).toEqual([]);
  });

  it('a guard registered globally by the app does the same', async () => {
    const guards = [XPayAuthGuard, ScopesGuard].map((useExisting) => ({ provide: APP_GUARD, useExisting }));
    await using byHand = await startApp('fastify', {
      imports: [XPayAuthModule.forRoot({ baseUrl })],
      controllers: [MarksController],
      providers: guards,
    });
    expect(securityAt(byHand, 'get /marks/unmarked')).toEqual(either());
  });

  it('a requirement for the whole document is removed from public routes, and replaced on decorated ones', async () => {
    await using app = await start();
    expect(securityAt(app, 'get /class/public', { build: requireAll })).toEqual([]);
    expect(securityAt(app, 'get /closed', { build: requireAll })).toEqual(either('tme_admin'));
    expect(securityAt(app, 'get /marks/optional', { build: requireAll })).toEqual([{}, ...either()]);
    // None of our guards protects it, so its documented requirement is kept.
    expect(securityAt(app, 'get /marks/unmarked', { build: requireAll })).toBeUndefined();
  });

  it('the requirement of another guard is kept: combined with ours if both apply, alone on a public route', async () => {
    @ApiBearerAuth()
    @ApiSecurity('gateway-key')
    @Controller('gated')
    class GatedController {
      @Scopes('tme_user')
      @Get('scoped')
      scoped() {}

      @OptionalAuth()
      @Get('optional')
      optional() {}

      @Public()
      @Get('public')
      public() {}
    }
    await using app = await start('fastify', {}, [GatedController]);
    const [basic, bearer] = either('tme_user').map((ours) => ({ 'gateway-key': [], ...ours }));
    expect(securityAt(app, 'get /gated/scoped')).toEqual([basic, bearer]);
    expect(securityAt(app, 'get /gated/optional')).toEqual([
      { 'gateway-key': [] },
      { 'gateway-key': [], basic: [] },
      { 'gateway-key': [], bearer: [] },
    ]);
    expect(securityAt(app, 'get /gated/public')).toEqual([{ 'gateway-key': [] }]);
  });

  it('OpenAPI 3.0 has no scopes in such a requirement; x-scopes and the description state them in every version', async () => {
    await using app = await start('fastify', { scopeHierarchy: { tme_admin: ['tme_user'], root: ['tme_admin'] } });
    for (const version of ['3.0.0', '3.1.0']) {
      const document = documentOf(app.app, { version });
      const combined = operationAt(document, 'get /marks/combined');
      expect(combined).toMatchObject({ 'x-scopes': { all: ['tme_admin'], any: ['tme_user', 'reports:read'] } });
      expect(combined.description).toBe(
        '**Scopes:** `tme_admin` (which `root` implies); and `tme_user` (which `tme_admin`, `root` imply) or `reports:read`',
      );
      expect(operationAt(document, 'get /marks/authenticated')).not.toHaveProperty('x-scopes');
      expect(operationAt(document, 'get /marks/authenticated')).not.toHaveProperty('description');
      expect(operationAt(document, 'get /marks/optional').description).toMatch(/optional/);
    }
    expect(securityAt(app, 'get /marks/combined', { version: '3.0.0' })).toEqual(either());
    expect(securityAt(app, 'get /marks/either', { version: '3.0.0' })).toEqual(either());
  });

  it('named instances have separate schemes, and unsupported schemes are not offered', async () => {
    @Controller('gifts')
    class GiftsController {
      @UseXPay('gift')
      @Scopes('gifts:sell')
      @Get()
      gifts() {}

      @UseXPay('app')
      @Get('app')
      app() {}
    }
    const ownHeader = { scheme: 'X-App', extract: () => undefined };
    await using app = await startApp('fastify', {
      imports: [
        XPayAuthModule.forRoot({ baseUrl, name: 'gift', verification: { extractors: ['basic'] } }),
        XPayAuthModule.forRoot({ baseUrl, name: 'app', verification: { extractors: ['bearer', ownHeader] } }),
      ],
      controllers: [GiftsController],
    });
    const document = documentOf(app.app);
    expect(operationAt(document, 'get /gifts').security).toEqual([{ 'gift-basic': ['gifts:sell'] }]);
    expect(operationAt(document, 'get /gifts/app').security).toEqual([{ 'app-bearer': [] }, { 'app-x-app': [] }]);
    expect(document.components?.securitySchemes).toMatchObject({
      'gift-basic': { type: 'http', scheme: 'basic' },
      'app-bearer': { type: 'http', scheme: 'bearer' },
      'app-x-app': { type: 'http', scheme: 'x-app' },
    });
    expect(Object.keys(document.components?.securitySchemes ?? {})).toHaveLength(3);
  });

  it('a scheme that the user defined under the same name is kept', async () => {
    const extractors = ['bearer', { scheme: 'X-App', extract: () => undefined }] as const;
    await using app = await start('fastify', { verification: { extractors } });
    const document = documentOf(app.app, {
      build: (builder) =>
        builder
          .addBearerAuth({ type: 'http', description: 'mine' })
          .addApiKey({ type: 'apiKey', in: 'header', name: 'x-app-key' }, 'x-app'),
    });
    expect(document.components?.securitySchemes).toEqual({
      bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'mine' },
      'x-app': { type: 'apiKey', in: 'header', name: 'x-app-key' },
    });
    expect(operationAt(document, 'get /closed').security).toEqual([
      { bearer: ['tme_admin'] },
      { 'x-app': ['tme_admin'] },
    ]);
  });

  it('changes nothing on classes and handlers', async () => {
    await using app = await start();
    documentOf(app.app);
    const plain = SwaggerModule.createDocument(app.app, new DocumentBuilder().build());
    for (const at of ['get /closed', 'post /closed', 'get /marks/both']) {
      expect(operationAt(plain, at)).not.toHaveProperty('security');
    }
  });
});
