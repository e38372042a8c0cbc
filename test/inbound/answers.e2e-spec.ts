import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, Controller, Get, HttpException, type INestApplication } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { Authenticated, XPayAuthError } from 'nestjs-xpay-auth';
import { asAda, startInbound, wrong } from '../support/inbound-app.js';
import { rawGet } from '../support/raw-request.js';
import { type Platform, basic, bearer, platforms } from '../support/start-app.js';

const both = 'Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"';

/** A catch-all filter, as many apps have, that does not use this library. */
@Catch()
class CatchEverything extends BaseExceptionFilter {
  override catch(thrown: unknown, host: ArgumentsHost): void {
    const status = thrown instanceof HttpException ? thrown.getStatus() : 500;
    const cause = thrown instanceof HttpException && thrown.cause instanceof XPayAuthError ? thrown.cause.code : 'none';
    const response: unknown = host.switchToHttp().getResponse();
    this.applicationRef?.reply(response, { mine: status, cause }, status);
  }
}

function catchEverything(app: INestApplication): void {
  app.useGlobalFilters(new CatchEverything(app.get(HttpAdapterHost).httpAdapter));
}

const line = (headers: Record<string, string>): string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`);

/** Throws errors with details that fit no header. */
@Controller()
class OddController {
  @Authenticated()
  @Get('scope')
  scope(): never {
    throw new XPayAuthError('insufficient_scope', 'why', { requiredScopes: ['reports:€', 'a\r\nb', 'reports:7'] });
  }

  @Authenticated()
  @Get('wait')
  wait(): never {
    throw new XPayAuthError('upstream_unavailable', 'why', { retryAfterMs: NaN });
  }
}

describe.each(platforms)('responses on %s', (platform: Platform) => {
  it('I7 · without credentials: 401, one line with every accepted scheme and no error', async () => {
    await using app = await startInbound(platform);
    const answer = await rawGet(app.url, '/me');
    expect(answer.status).toBe(401);
    expect(answer.all('www-authenticate')).toEqual([both]);
    expect(answer.all('cache-control')).toEqual(['no-store']);
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 401,
      error: 'Unauthorized',
      message: 'Authentication is required',
      errorCode: 'missing_credentials',
    });
  });

  it('I7 · the challenge names a bad token as the error, but not a bad password', async () => {
    await using app = await startInbound(platform);
    const token = await rawGet(app.url, '/me', line(bearer('made-up')));
    expect(token.all('www-authenticate')).toEqual([`${both}, error="invalid_token"`]);
    const password = await rawGet(app.url, '/me', line(wrong()));
    expect(password.all('www-authenticate')).toEqual([both]);
    expect([token.status, password.status]).toEqual([401, 401]);
  });

  it('I7 · an unsupported scheme: 401 with the supported ones, on optional routes too', async () => {
    await using app = await startInbound(platform);
    for (const path of ['/me', '/optional']) {
      const answer = await rawGet(app.url, path, ['Authorization: Digest username="ada"']);
      expect([answer.status, answer.all('www-authenticate')]).toEqual([401, [both]]);
    }
    expect(await (await app.fetch('/optional')).json()).toEqual({ username: 'nobody' });
    expect(await app.status('/optional', wrong())).toBe(401);
  });

  it('I7 · 403 names the required scope and nothing else', async () => {
    await using app = await startInbound(platform);
    const answer = await rawGet(app.url, '/admin', line(asAda));
    expect(answer.status).toBe(403);
    expect(answer.all('www-authenticate')).toEqual(['Bearer error="insufficient_scope", scope="tme_admin"']);
    expect(answer.all('cache-control')).toEqual(['no-store']);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 403, errorCode: 'insufficient_scope' });
  });

  it('I7 · 400 has no challenge', async () => {
    await using app = await startInbound(platform);
    const answer = await rawGet(app.url, '/me', ['Authorization: Basic ???']);
    expect([answer.status, answer.all('www-authenticate')]).toEqual([400, []]);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 400, errorCode: 'invalid_request' });
  });

  it("I7 · a browser's fetch is not offered Basic, so that no login box opens; a navigation is", async () => {
    await using app = await startInbound(platform);
    for (const headers of [{}, wrong()]) {
      const script = await rawGet(app.url, '/me', [...line(headers), 'Sec-Fetch-Dest: empty']);
      expect([script.status, script.all('www-authenticate')]).toEqual([401, ['Bearer realm="xpay"']]);
    }
    const person = await rawGet(app.url, '/me', ['Sec-Fetch-Dest: document']);
    expect(person.all('www-authenticate')).toEqual([both]);
  });

  it('I7 · realm and schemes come from the options', async () => {
    const extractors = ['bearer', { scheme: 'XApp', extract: () => undefined }] as const;
    await using app = await startInbound(platform, { options: { verification: { realm: 'a "b" \\c', extractors } } });
    const answer = await rawGet(app.url, '/me');
    expect(answer.all('www-authenticate')).toEqual(['Bearer realm="a \\"b\\" \\\\c", XApp realm="a \\"b\\" \\\\c"']);
  });

  it("I7 · status, challenge and headers are kept by an app's own catch-all filter", async () => {
    await using app = await startInbound(platform, { configure: catchEverything });
    const nobody = await rawGet(app.url, '/me');
    expect([nobody.status, nobody.all('www-authenticate'), nobody.all('cache-control')]).toEqual([
      401,
      [both],
      ['no-store'],
    ]);
    expect(JSON.parse(nobody.body)).toEqual({ mine: 401, cause: 'missing_credentials' });
    const denied = await rawGet(app.url, '/admin', line(asAda));
    expect([denied.status, denied.all('www-authenticate').length]).toEqual([403, 1]);
    app.xpay.faults.always({ kind: 'unavailable', retryAfter: 9 });
    const down = await rawGet(app.url, '/me', line(wrong('later')));
    expect([down.status, down.all('retry-after')]).toEqual([503, ['9']]);
  });

  it('I7 · a failed login in a controller uses the same table', async () => {
    await using app = await startInbound(platform);
    const login = (username: string, secretKey: string) =>
      app.fetch('/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, secretKey }),
      });
    const refused = await login('ada@example.test', 'wrong');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, both]);
    expect((await login('ada@example.test', 'a\u0000b')).status).toBe(400);
    app.xpay.faults.next({ kind: 'unavailable' });
    const down = await login('ada@example.test', 'another');
    expect([down.status, down.headers.get('retry-after'), await down.json()]).toMatchObject([
      503,
      '1',
      { errorCode: 'upstream_unavailable' },
    ]);
  });

  it('I7 · details of an error that fit no header are not in the headers, and the response is sent', async () => {
    await using app = await startInbound(platform, { controllers: [OddController] });
    const scope = await app.fetch('/scope', { headers: asAda });
    const challenge = 'Bearer error="insufficient_scope", scope="reports:7"';
    expect([scope.status, scope.headers.get('www-authenticate')]).toEqual([403, challenge]);
    const wait = await app.fetch('/wait', { headers: asAda });
    expect([wait.status, wait.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('B3 B4 · an unknown user and a wrong key get the same response with the same number of upstream calls', async () => {
    await using app = await startInbound(platform);
    const told = async (username: string) => {
      const before = app.asked();
      const answer = await rawGet(app.url, '/me', line(basic(username, 'wrong')));
      const lines = answer.lines.filter(([name]) => !['date', 'etag'].includes(name));
      return { status: answer.status, lines, body: answer.body, asked: app.asked() - before };
    };
    const known = await told('ada@example.test');
    const unknown = await told('eve@example.test');
    expect(unknown).toEqual(known);
    expect(known.asked).toBe(1);
    const [first, second] = app.events;
    expect(second).toEqual({ ...first, username: 'eve@example.test', reference: expect.anything() });
  });
});
