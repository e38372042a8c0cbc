import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, type RpcExceptionFilter } from '@nestjs/common';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import { type CredentialsExtractor, XPayAuthError } from 'nestjs-xpay-auth';
import type { Observable } from 'rxjs';
import type { Ended } from '../support/grpc-channel.js';
import { type GrpcService, startGrpcService } from '../support/grpc-service.js';
import { ada, asAda, asRoot, root, wrong } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { basic, bearer } from '../support/start-app.js';

/** Methods by the kind of their call; those of @GrpcStreamCall begin with "Call". */
const methods = ['Unary', 'ServerStream', 'ClientStream', 'Bidi', 'CallClientStream', 'CallBidi'] as const;

const UNAVAILABLE = 'The authentication service is unavailable';
const realm = 'realm="xpay"';
const challenge = `Basic ${realm}, charset="UTF-8", Bearer ${realm}`;

type Prepare = (service: GrpcService) => unknown;
const withFault =
  (fault: Parameters<GrpcService['xpay']['faults']['always']>[0]): Prepare =>
  ({ xpay }) =>
    xpay.faults.always(fault);
const nothing: Prepare = () => undefined;

/** A failure, what is presented, and the status, details and trailers that the client receives. */
const failures: readonly [string, Record<string, string>, Prepare, number, string, object][] = [
  ['missing_credentials', {}, nothing, status.UNAUTHENTICATED, 'Authentication is required', { challenge }],
  ['invalid_credentials', wrong(), nothing, status.UNAUTHENTICATED, 'Invalid credentials', { challenge }],
  [
    'invalid_token',
    bearer('unknown'),
    nothing,
    status.UNAUTHENTICATED,
    'Invalid or expired token',
    { challenge: `${challenge}, error="invalid_token"` },
  ],
  [
    'invalid_request',
    { authorization: 'Basic !' },
    nothing,
    status.INVALID_ARGUMENT,
    'The request is malformed or ambiguous',
    {},
  ],
  [
    'insufficient_scope',
    asRoot,
    nothing,
    status.PERMISSION_DENIED,
    'Insufficient scope',
    { challenge: 'Bearer error="insufficient_scope", scope="tme_user"' },
  ],
  [
    'upstream_unavailable',
    asAda,
    withFault({ kind: 'unavailable', retryAfter: 17 }),
    status.UNAVAILABLE,
    UNAVAILABLE,
    { seconds: 17 },
  ],
  ['upstream_unavailable', asAda, withFault({ kind: 'reset' }), status.UNAVAILABLE, UNAVAILABLE, { seconds: 1 }],
  [
    'upstream_malformed',
    asAda,
    withFault({ kind: 'notJson' }),
    status.INTERNAL,
    'The authentication service gave an unusable answer',
    {},
  ],
];

const trailersOf = (errorCode: string, { challenge, seconds }: { challenge?: string; seconds?: number }) => ({
  'error-code': errorCode,
  ...(challenge !== undefined && { 'www-authenticate': challenge }),
  ...(seconds !== undefined && { 'retry-after': `${seconds}`, 'grpc-retry-pushback-ms': `${seconds * 1_000}` }),
});

const outcomeOf = ({ texts, trailers }: Ended): unknown => texts[0] ?? trailers['error-code'];

@Catch(RpcException)
class KeepingFilter implements RpcExceptionFilter<RpcException> {
  readonly caught: RpcException[] = [];

  catch(exception: RpcException, host: ArgumentsHost): Observable<never> {
    this.caught.push(exception);
    return new BaseRpcExceptionFilter<RpcException, never>().catch(exception, host);
  }
}

describe('gRPC', () => {
  it.each([
    ['Admin', ['missing_credentials', 'insufficient_scope', 'admin']],
    ['Optional', ['anonymous', ada.username, root.username]],
    ['Open', ['open', 'open', 'open']],
    ['Undeclared', ['undeclared', 'undeclared', 'undeclared']],
  ])('D14 · applies the decorators of %s', async (method, expected) => {
    await using service = await startGrpcService();
    const outcomes = [];
    for (const presented of [{}, asAda, asRoot]) outcomes.push(outcomeOf(await service.channel.run(method, presented)));
    expect(outcomes).toEqual(expected);
  });

  it('D14 · globalGuards protect every call, with one decision for each', async () => {
    await using service = await startGrpcService({ options: { globalGuards: true } });
    expect(outcomeOf(await service.channel.run('Undeclared'))).toBe('missing_credentials');
    expect(service.events).toEqual([]);
    for (const method of ['Undeclared', ...methods])
      expect((await service.channel.run(method, asAda)).code).toBe(status.OK);
    expect(service.asked()).toBe(1);
    expect((await service.channel.run('Unary', wrong())).code).toBe(status.UNAUTHENTICATED);
    expect(service.events.filter(({ type }) => type === 'refused')).toHaveLength(1);
  });

  it('D14 · keeps an open stream when its session is revoked, and rejects the next call', async () => {
    await using service = await startGrpcService();
    const { accessToken } = await service.sessions.login(ada);
    const stream = service.channel.begin('Ticks', bearer(accessToken));
    await settled(() => service.ticks.sent.observed);
    await service.sessions.revokeUser(ada.username);
    service.ticks.sent.next('after');
    await settled(() => stream.texts.length === 1);
    expect(stream.texts).toEqual([`after ${ada.username}`]);
    expect(outcomeOf(await service.channel.run('Ticks', bearer(accessToken)))).toBe('invalid_token');
    stream.cancel();
    expect((await stream.ended).code).toBe(status.CANCELLED);
  });

  it.each(methods)('D14 · survives a client that cancels %s before it is rejected', async (method) => {
    await using service = await startGrpcService();
    service.xpay.faults.always({ kind: 'hang' });
    const call = service.channel.begin(method, asAda);
    await service.xpay.waitForRequests(1);
    call.cancel();
    expect((await call.ended).code).toBe(status.CANCELLED);
    await service.clock.advance(5_000);
    await settled(() => service.events.some(({ type }) => type === 'undecided'));
    service.xpay.faults.clear();
    await service.clock.advance(5_000);
    expect((await service.channel.run(method, asAda)).code).toBe(status.OK);
  });

  it('D14 · counts by user alone where a private peer forwards for others', async () => {
    await using service = await startGrpcService({
      options: { attempts: { perAddress: { attempts: 2, windowMs: 60_000 } } },
    });
    for (let i = 0; i < 6; i++) {
      const presented = { ...basic(`user-${i}@example.test`, 'wrong'), 'x-forwarded-for': '203.0.113.7' };
      expect(outcomeOf(await service.channel.run('Unary', presented))).toBe('invalid_credentials');
    }
  });

  it('D14 · reads other metadata with an extractor', async () => {
    const ticket: CredentialsExtractor = {
      scheme: 'Ticket',
      extract: ({ headers }) => (typeof headers['x-ticket'] === 'string' ? { token: headers['x-ticket'] } : undefined),
    };
    await using service = await startGrpcService({ options: { verification: { extractors: ['basic', ticket] } } });
    const { accessToken } = await service.sessions.login(ada);
    for (const method of methods) {
      expect(outcomeOf(await service.channel.run(method, { 'x-ticket': accessToken }))).toBe(ada.username);
      expect(outcomeOf(await service.channel.run(method, { 'x-ticket': accessToken, ...asAda }))).toBe(
        'invalid_request',
      );
    }
  });

  it.each([
    [false, asAda.authorization],
    [true, ''],
  ])('D14 · with stripCredentials: %s a handler finds "%s" in the metadata', async (stripCredentials, found) => {
    await using service = await startGrpcService({ options: { verification: { stripCredentials } } });
    expect((await service.channel.run('Authorization', asAda)).texts).toEqual([found]);
  });

  it.each(['Outbound', 'CallOutbound'])('D14 · answers a failure that leaves the handler of %s', async (method) => {
    await using service = await startGrpcService({ options: { credentials: { username: 'app', secretKey: 'wrong' } } });
    expect(await service.channel.run(method)).toMatchObject({
      code: status.INTERNAL,
      details: 'The upstream service refused this application',
      trailers: { 'error-code': 'credentials_rejected' },
    });
  });

  it("D14 · passes the exception to an app's own filter, with the status in getError()", async () => {
    const filter = new KeepingFilter();
    await using service = await startGrpcService({ configure: (app) => app.useGlobalFilters(filter) });
    expect(await service.channel.run('Admin', asAda)).toMatchObject({
      code: status.PERMISSION_DENIED,
      trailers: { 'error-code': 'insufficient_scope' },
    });
    const [exception] = filter.caught;
    expect(exception?.cause).toBeInstanceOf(XPayAuthError);
    expect(exception?.getError()).toMatchObject({ code: 7, statusCode: 403, errorCode: 'insufficient_scope' });
    expect(JSON.stringify(exception)).not.toContain(asAda.authorization);
  });

  describe.each(methods)('%s', (method) => {
    it('D14 · accepts the credentials of the metadata, once for each call', async () => {
      await using service = await startGrpcService();
      const { code, texts } = await service.channel.run(method, asAda);
      expect([code, [...new Set(texts)]]).toEqual([status.OK, [ada.username]]);
      const { accessToken } = await service.sessions.login(ada);
      expect((await service.channel.run(method, bearer(accessToken))).texts).toEqual(texts);
    });

    it.each(failures)(
      'D14 · answers %s with its status, and with errorCode in the trailing metadata',
      async (errorCode, presented, prepare, code, details, facts) => {
        await using service = await startGrpcService();
        await prepare(service);
        const ended = await service.channel.run(method, presented);
        expect(ended).toEqual({ code, details, texts: [], trailers: trailersOf(errorCode, facts) });
        // The connection and the server are unharmed.
        service.xpay.faults.clear();
        await service.clock.advance(17_000);
        expect((await service.channel.run(method, asAda)).code).toBe(status.OK);
      },
    );

    it('D14 · answers upstream_timeout with DEADLINE_EXCEEDED', async () => {
      await using service = await startGrpcService();
      service.xpay.faults.always({ kind: 'hang' });
      const { ended } = service.channel.begin(method, asAda);
      await service.xpay.waitForRequests(1);
      await service.clock.advance(5_000);
      expect(await ended).toMatchObject({
        code: status.DEADLINE_EXCEEDED,
        trailers: { 'error-code': 'upstream_timeout' },
      });
    });

    it('D14 · counts failed attempts by the address of the peer, and answers RESOURCE_EXHAUSTED', async () => {
      await using service = await startGrpcService({
        options: { attempts: { perAddress: { attempts: 2, windowMs: 60_000 } } },
      });
      const attempt = (user: number) => service.channel.run(method, basic(`user-${user}@example.test`, 'wrong'));
      expect([(await attempt(1)).code, (await attempt(2)).code]).toEqual([16, 16]);
      expect(await attempt(3)).toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: 'Too many attempts',
        trailers: trailersOf('too_many_attempts', { seconds: 60 }),
      });
      // Another connection of the same peer.
      using other = service.open();
      expect((await other.run(method, wrong())).code).toBe(status.RESOURCE_EXHAUSTED);
      expect(service.events).toContainEqual(expect.objectContaining({ type: 'locked-out', address: '127.0.0.1' }));
    });
  });
});
