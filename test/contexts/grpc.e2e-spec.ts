import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, type RpcExceptionFilter } from '@nestjs/common';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import { type CredentialsExtractor, XPayAuthError } from 'nestjs-xpay-auth';
import type { Observable } from 'rxjs';
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
    'The credentials are malformed or ambiguous',
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
  ['upstream_unavailable', asAda, withFault({ kind: 'unavailable', retryAfter: 17 }), status.UNAVAILABLE, UNAVAILABLE, { seconds: 17 }],
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

describe('gRPC', () => {
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
        service.xpay.faults.clear();
        expect((await service.channel.run(method, asAda)).code).toBe(
          errorCode === 'upstream_unavailable' ? expect.any(Number) : status.OK,
        );
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
      expect(service.events.filter(({ type }) => type === 'denied' || type === 'refused').length).toBeGreaterThan(0);
    });
  });
});
