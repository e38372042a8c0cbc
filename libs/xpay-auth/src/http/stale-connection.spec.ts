import { describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { Secret } from '../core/credentials.js';
import { Instrumentation } from '../core/instrumentation.js';
import { giftStream } from '../dialects/gift-stream/gift-stream.dialect.js';
import { type TransportRequest, TransportFailure } from './transport.js';
import { UpstreamClient, upstreamCalls } from './upstream-client.js';

const CREDENTIALS = { username: 'ada@example.test', secretKey: 'ada-secret-16180339' };

/** The calls of an upstream whose connections are all stale after `waitMs`, or which never answers. */
function start(waitMs: number | undefined) {
  const clock = new ManualClock();
  const sent: TransportRequest[] = [];
  const transport = (request: TransportRequest) => {
    sent.push(request);
    return new Promise<never>((_, reject) => {
      const fail = (code: string): void => reject(new TransportFailure(code, true, false));
      request.signal.addEventListener('abort', () => fail('ERR_CANCELED'));
      if (waitMs !== undefined) clock.setTimer(() => fail('ECONNRESET'), waitMs);
    });
  };
  const client = new UpstreamClient({ transport, baseUrl: 'https://up.example.test', clock, timeoutMs: 5_000 });
  return { clock, sent, calls: upstreamCalls(giftStream(), client, new Instrumentation()) };
}

const { signal } = new AbortController();

describe('a request on a stale connection', () => {
  it('E6 · is repeated for a login, before the same timeout', async () => {
    const { clock, sent, calls } = start(3_000);
    const login = expect(calls.authenticate(CREDENTIALS, 'login', signal)).rejects.toMatchObject({
      code: 'upstream_timeout',
    });
    await clock.advance(3_000);
    expect(sent).toHaveLength(2);
    await clock.advance(2_000);
    await login;
    expect(sent).toHaveLength(2);
  });

  it('E6 · is not repeated once the caller has aborted', async () => {
    const { sent, calls } = start(undefined);
    const ending = new AbortController();
    const login = calls.authenticate(CREDENTIALS, 'verification', ending.signal);
    ending.abort();
    await expect(login).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(sent).toHaveLength(1);
  });

  it('E6 · is not repeated for a refresh token, which an upstream may accept only once', async () => {
    const { clock, sent, calls } = start(0);
    const refresh = expect(calls.refresh?.(new Secret('refresh-token'), signal)).rejects.toMatchObject({
      code: 'upstream_unavailable',
    });
    await clock.advance(0);
    await refresh;
    expect(sent).toHaveLength(1);
  });

  it('E6 · is not repeated for a call of the API', async () => {
    const { clock, sent, calls } = start(0);
    const call = calls.sendApi({ method: 'POST', path: '/transactions' }, undefined);
    const failed = expect(call).rejects.toMatchObject({ code: 'upstream_unavailable' });
    await clock.advance(0);
    await failed;
    expect(sent).toHaveLength(1);
  });
});
