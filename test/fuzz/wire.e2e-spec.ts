import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { XPayAuthError, XPayAuthModule, type XPayAuthErrorCode, XPayTokenService } from 'nestjs-xpay-auth';
import { Test } from '@nestjs/testing';
import { startInbound } from '../support/inbound-app.js';
import { collector } from '../outbound/outbound.js';
import { holdsInTime } from '../support/property.js';
import { platforms } from '../support/start-app.js';
import { answers } from './upstream-answers.js';
import { rightXPay } from './right-answers.js';

const DOCUMENTED = [200, 400, 401, 403, 429, 431, 503];

/** Header lines that no client would write. */
const line = fc
  .tuple(
    fc.constantFrom('Authorization', 'authorization', 'X-Forwarded-For', 'Forwarded', 'Sec-Fetch-Dest', 'Cookie'),
    fc.constantFrom(': ', ':', ':\t', ' : '),
    fc.oneof(
      fc.constantFrom(
        'Basic YWRhQGV4YW1wbGUudGVzdDphZGEtc2VjcmV0LWtleQ==',
        'Bearer abc',
        'Basic',
        'basic  Og==',
        'Negotiate x',
      ),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => `Basic ${Buffer.from(bytes).toString('base64')}`),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.nat(20_000).map((length) => `Bearer ${'a'.repeat(length)}`),
    ),
  )
  .map((parts) => parts.join(''));

describe.each(platforms)('any bytes that reach an app on %s', (platform) => {
  it('I6 I8 · get a documented status, and the app continues', async () => {
    await using app = await startInbound(platform, { options: { attempts: false } });
    const { hostname, port } = new URL(app.url);
    await holdsInTime(
      fc.asyncProperty(
        fc.array(line, { maxLength: 4 }),
        fc.constantFrom('/me', '/admin', '/optional'),
        async (lines, path) => {
          const head = [`GET ${path} HTTP/1.1`, 'host: app', 'connection: close', ...lines, '', ''].join('\r\n');
          const socket = connect(Number(port), hostname);
          socket.write(Buffer.from(head, 'latin1'));
          const text = await allOf(socket);
          expect(DOCUMENTED).toContain(Number(text.slice(9, 12)));
        },
      ),
      0.5,
    );
    expect(await app.status('/optional')).toBe(200);
  });
});

/** An HTTP response with a mistake in its first line, its headers or its length. */
const wireAnswer = fc
  .tuple(
    answers(rightXPay),
    fc.oneof(
      { weight: 9, arbitrary: fc.constant('HTTP/1.1') },
      { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/9.9', 'ICY', '') },
    ),
    fc.array(
      fc.constantFrom(
        'date: 0',
        'date: Thu, 01 Jan 2026 00:00:00 GMT',
        'retry-after: soon',
        'content-length: 5',
        'content-length: 99999999999999999999',
        'transfer-encoding: chunked',
        'content-encoding: gzip',
        'content-type: text/html; charset=utf-16',
        'no colon',
        'location: http://127.0.0.1:1/elsewhere',
        `long: ${'x'.repeat(20_000)}`,
        'nul: \u0000',
      ),
      { maxLength: 3 },
    ),
    fc.boolean(),
  )
  .map(([{ status, text }, version, headers, measured]) => {
    const length = measured ? [`content-length: ${Buffer.byteLength(text)}`] : [];
    return [`${version} ${status} OK`, ...length, ...headers, 'connection: close', '', text].join('\r\n');
  });

const OUTBOUND: readonly XPayAuthErrorCode[] = [
  'upstream_unavailable',
  'upstream_timeout',
  'upstream_rate_limited',
  'upstream_malformed',
  'upstream_business_error',
  'credentials_rejected',
];

describe('any bytes that an upstream sends', () => {
  it('O12 · result in a token or a code for upstream failures', async () => {
    let answer = '';
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.from(answer, 'utf8')));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const credentials = { username: 'app@example.test', secretKey: 'app-key' };
    const http = { timeoutMs: 2_000, maxResponseBytes: 10_000 };
    const module = await Test.createTestingModule({
      imports: [XPayAuthModule.forRoot({ baseUrl, credentials, http, token: { rejectedRetryMs: { min: 1, max: 1 } } })],
    })
      .setLogger(collector([]))
      .compile();
    const tokens = module.get(XPayTokenService);
    await holdsInTime(
      fc.asyncProperty(wireAnswer, async (bytes) => {
        answer = bytes;
        const outcome = await tokens.refresh().catch((failure: unknown) => failure);
        if (outcome instanceof XPayAuthError) expect(OUTBOUND).toContain(outcome.code);
        else expect(outcome).toBe(tokens.peek());
      }),
      0.5,
    );
    await module.close();
    server.close();
  });
});

async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}
