import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiBadRequestResponse, ApiUnauthorizedResponse, type OpenAPIObject } from '@nestjs/swagger';
import { Authenticated, Public, Scopes, XPayAuthModule, type XPayAuthOptions } from 'nestjs-xpay-auth';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';
import { type Fault, MemoryStore, xpayMalformed } from 'nestjs-xpay-auth/testing';
import { type InboundApp, ada, asAda, asRoot, startInbound, wrong } from '../support/inbound-app.js';
import { documentOf, exampleOf, operationAt, resolve, responseAt } from '../support/openapi.js';
import { type Platform, bearer, platforms, startApp } from '../support/start-app.js';

type Provoke = (app: InboundApp) => Promise<Response>;

const get = (path: string, headers?: Record<string, string>): Provoke => {
  return (app) => app.fetch(path, headers === undefined ? {} : { headers });
};
const troubled = (fault: Fault): Provoke => {
  return (app) => {
    app.xpay.faults.always(fault);
    return app.fetch('/user', { headers: asAda });
  };
};

const store = new MemoryStore();

/** For each code that the guards may return: a request to `GET /user` that causes it, and the options it needs. */
const answers: Record<string, readonly [Provoke, XPayAuthOptions?]> = {
  missing_credentials: [get('/user')],
  invalid_credentials: [get('/user', wrong())],
  invalid_token: [get('/user', bearer('made-up'))],
  invalid_request: [get('/user', { authorization: 'Basic ???' })],
  insufficient_scope: [get('/user', asRoot)],
  too_many_attempts: [
    async (app) => {
      await app.status('/user', wrong(1));
      return app.fetch('/user', { headers: wrong(2) });
    },
    { attempts: { perUserAndAddress: { attempts: 1, windowMs: 60_000 } } },
  ],
  upstream_unavailable: [troubled({ kind: 'unavailable' })],
  upstream_rate_limited: [troubled({ kind: 'rateLimited' })],
  overloaded: [
    async (app) => {
      app.xpay.faults.always({ kind: 'hang' });
      const waiting = app.fetch('/user', { headers: wrong() });
      await app.xpay.waitForRequests(1);
      const answer = await app.fetch('/user', { headers: asAda });
      await app.clock.advance(5_000);
      await waiting;
      return answer;
    },
    { verification: { maxConcurrent: 2, maxQueued: 0 } },
  ],
  store_unavailable: [
    async (app) => {
      store.goAway();
      const answer = await app.fetch('/user', { headers: bearer('made-up') });
      store.comeBack();
      return answer;
    },
    { store },
  ],
  upstream_timeout: [
    async (app) => {
      app.xpay.faults.always({ kind: 'hang' });
      const late = app.fetch('/user', { headers: asAda });
      await app.xpay.waitForRequests(1);
      await app.clock.advance(5_000);
      return late;
    },
  ],
  upstream_malformed: [troubled(xpayMalformed.noToken)],
  upstream_business_error: [
    (app) => {
      app.xpay.businessError('maintenance');
      return app.fetch('/user', { headers: asAda });
    },
  ],
};

/** Also documented: the response of an app that is shutting down. */
const LAST_WORDS = 'shutting_down';

const HEADERS = ['Cache-Control', 'Retry-After', 'WWW-Authenticate'];

@Controller()
class HeadersController {
  @Authenticated()
  @Get('headers')
  headers(@Headers('authorization') _authorization: string, @Headers('x-mine') mine: string) {
    return mine;
  }
}

/** Returns the value documented for a header of the response with this code. */
function documentedHeader(document: OpenAPIObject, status: number, code: string, name: string): string | undefined {
  const header = responseAt(document, 'get /user', status)?.headers?.[name];
  if (header === undefined || '$ref' in header) return undefined;
  const own = header.examples?.[code];
  const value: unknown =
    own !== undefined && 'value' in own ? own.value : (header.schema as { example?: unknown }).example;
  return String(value);
}

describe.each(platforms)('the failures in the OpenAPI document on %s', (platform: Platform) => {
  it.each(Object.entries(answers))(
    'I6, I7 · the response for %s has the documented body and headers',
    async (code, [provoke, options = {}]) => {
      await using app = await startInbound(platform, { options });
      const document = documentOf(app.app);
      const answer = await provoke(app);
      const response = responseAt(document, 'get /user', answer.status);
      expect([code, await answer.json()]).toEqual([code, exampleOf(response, code)]);
      const sent = HEADERS.filter((name) => answer.headers.has(name));
      expect(Object.keys(response?.headers ?? {}).toSorted()).toEqual(sent);
      for (const name of sent) {
        expect([name, answer.headers.get(name)]).toEqual([name, documentedHeader(document, answer.status, code, name)]);
      }
    },
  );

  it('I5, I6 · callers with Basic credentials get the documented 503 if only an unavailable store knows whether they are trusted', async () => {
    const shared = new MemoryStore();
    const perUser = { attempts: 1, windowMs: 60_000 };
    const options = { store: shared, attempts: { perUser }, verification: { extractors: ['basic'] as const } };
    await using app = await startInbound(platform, { options });
    const document = documentOf(app.app);
    expect(await app.status('/user', wrong())).toBe(401);
    shared.goAway();
    const answer = await app.fetch('/user', { headers: asAda });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual(exampleOf(responseAt(document, 'get /user', 503), 'store_unavailable'));
  });
});

describe('the OpenAPI document', () => {
  it('documents only codes that were returned, and lists each in the schema of the body', async () => {
    await using app = await startInbound('fastify', { options: { store } });
    const document = documentOf(app.app);
    const documented = Object.keys(operationAt(document, 'get /user').responses).flatMap((status) => {
      return Object.keys(
        responseAt(document, 'get /user', Number(status))?.content?.['application/json']?.examples ?? {},
      );
    });
    expect(documented.toSorted()).toEqual([...Object.keys(answers), LAST_WORDS].toSorted());
    const schema = document.components?.schemas?.['XPayAuthFailure'] as {
      properties: { errorCode: { enum: string[] } };
    };
    expect(schema.properties.errorCode.enum.toSorted()).toEqual(documented.toSorted());
  });

  it('I7 · describes the header WWW-Authenticate of a 401 and of a 403 differently', async () => {
    await using app = await startInbound('fastify');
    const document = documentOf(app.app);
    const described = [401, 403].map((status) => {
      const header = responseAt(document, 'get /user', status)?.headers?.['WWW-Authenticate'];
      return header !== undefined && 'description' in header ? header.description : undefined;
    });
    expect(described).toEqual([
      'The accepted schemes. A script in a browser is not offered Basic.',
      'The required scopes.',
    ]);
  });

  it('documents 403 only for routes with a scope, and no missing credentials for optional routes', async () => {
    await using app = await startInbound('fastify');
    const document = documentOf(app.app);
    expect(responseAt(document, 'get /me', 403)).toBeUndefined();
    expect(responseAt(document, 'get /optional', 403)).toBeUndefined();
    expect(exampleOf(responseAt(document, 'get /optional', 401), 'invalid_credentials')).toBeDefined();
    expect(exampleOf(responseAt(document, 'get /optional', 401), 'missing_credentials')).toBeUndefined();
    expect(exampleOf(responseAt(document, 'get /me', 401), 'missing_credentials')).toBeDefined();
    expect(Object.keys(operationAt(document, 'post /login').responses)).toEqual(['200']);
  });

  it.each<[XPayAuthOptions, number[]]>([
    [{ attempts: false }, [400, 401, 403, 502, 503, 504]],
    // A bearer token of this app is looked up locally: no attempts, no upstream.
    [{ verification: { extractors: ['bearer'] } }, [400, 401, 403]],
  ])('with %j it documents no impossible failure', async (options, statuses) => {
    await using app = await startInbound('fastify', { options });
    const { responses } = operationAt(documentOf(app.app), 'get /user');
    expect(Object.keys(responses)).toEqual(['200', ...statuses.map(String)]);
  });

  it('has each response once, and every reference in it resolves', async () => {
    await using app = await startInbound('fastify');
    const document = documentOf(app.app);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, reference = '']) => reference,
    );
    for (const reference of references) expect(resolve(document, reference)).toBeInstanceOf(Object);
    expect(references.length).toBeGreaterThan(20);
    const names = Object.keys(document.components?.responses ?? {});
    expect(names.filter((name) => !/^[\w.-]+$/.test(name))).toEqual([]);
    // Two kinds of 401, one 403 for each scope, and one for each other failure.
    expect(names).toHaveLength(9);
  });

  it("keeps the user's own description of a status, and adds the missing ones", async () => {
    @Controller()
    class OwnController {
      @ApiUnauthorizedResponse({ description: 'Ask at the counter.' })
      @ApiBadRequestResponse({ description: 'No such page.', schema: { type: 'string' } })
      @Authenticated()
      @Get('own')
      own() {}
    }
    await using app = await startInbound('fastify', { controllers: [OwnController] });
    const document = documentOf(app.app);
    const refused = responseAt(document, 'get /own', 401);
    expect(refused?.description).toBe('Ask at the counter.');
    expect(exampleOf(refused, 'invalid_token')).toBeDefined();
    expect(Object.keys(refused?.headers ?? {})).toEqual(['Cache-Control', 'WWW-Authenticate']);
    expect(responseAt(document, 'get /own', 400)?.content).toEqual({
      'application/json': { schema: { type: 'string' } },
    });
  });

  it('documents failures that a handler itself causes, also for a public one', async () => {
    @Controller()
    class OwnController {
      @ApiXPayFailures('login')
      @Public()
      @HttpCode(200)
      @Post('login')
      login() {}

      @ApiXPayFailures('call')
      @Scopes('tme_user')
      @Get('wallets')
      wallets() {}

      @ApiXPayFailures('insufficient_scope')
      @Get('unguarded')
      unguarded() {}
    }
    await using app = await startInbound('fastify', { controllers: [OwnController] });
    const document = documentOf(app.app);
    expect(operationAt(document, 'post /login').security).toEqual([]);
    expect(Object.keys(operationAt(document, 'post /login').responses)).toEqual([
      '200',
      '400',
      '401',
      '429',
      '502',
      '503',
      '504',
    ]);
    expect(exampleOf(responseAt(document, 'post /login', 401), 'missing_credentials')).toBeUndefined();
    expect(exampleOf(responseAt(document, 'get /wallets', 502), 'credentials_rejected')).toBeDefined();
    expect(exampleOf(responseAt(document, 'get /unguarded', 403), 'insufficient_scope')).toBeDefined();
    expect(operationAt(document, 'get /unguarded')).not.toHaveProperty('security');
  });

  it('does not list the Authorization header as a parameter, because the security scheme covers it', async () => {
    await using app = await startApp('fastify', {
      imports: [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1' })],
      controllers: [HeadersController],
    });
    const parameters = operationAt(documentOf(app.app), 'get /headers').parameters ?? [];
    expect(parameters).toMatchObject([{ name: 'x-mine', in: 'header' }]);
  });

  it('O17 · contains no secret and no account name', async () => {
    const credentials = { username: ada.username, secretKey: ada.secretKey };
    await using app = await startInbound('fastify', { options: { credentials } });
    const text = JSON.stringify(documentOf(app.app));
    for (const secret of [ada.secretKey, ada.username, app.xpay.url]) expect(text).not.toContain(secret);
  });
});
