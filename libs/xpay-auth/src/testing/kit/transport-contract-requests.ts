import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import { transportFailure } from '../../http/failure.js';
import type { TransportFailure } from '../../http/transport.js';
import { until } from './contract-case.js';
import { spilled } from './dialect-contract-spill.js';
import { RawServer, SECRET, SETTINGS, type TransportPlay, response } from './transport-contract-stage.js';

const MOST = SETTINGS.maxResponseBytes;
const PROXY_VARIABLES = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/** The requirements on one request and its answer. */
export const requestCases: Readonly<Record<string, TransportPlay>> = {
  'sends method, path, headers and body as they are': async (rig) => {
    await rig.create()(rig.request({ url: `${rig.server.url}/a%2Fb?c=d#e`, method: 'PUT' }));
    const [head = '', body] = (rig.server.requests[0] ?? '').split('\r\n\r\n');
    assert.equal(head.split('\r\n')[0], 'PUT /a%2Fb?c=d HTTP/1.1');
    assert.match(head, new RegExp(`^authorization: Bearer ${SECRET}$`, 'im'));
    assert.match(head, /^content-type: application\/json$/im);
    assert.equal(body, rig.request().body);
  },

  'sends no body if there is none': async (rig) => {
    await rig.create()(rig.request({ method: 'GET', headers: {}, body: undefined }));
    assert.match(rig.server.requests[0] ?? '', /^GET \/login HTTP\/1\.1\r\n[\s\S]*\r\n\r\n$/);
    assert.doesNotMatch(rig.server.requests[0] ?? '', /^content-type:/im);
  },

  'returns any status, headers in lower case, and the bytes of the body': async (rig) => {
    for (const status of [200, 401, 429, 500]) {
      rig.server.answer = (socket) => socket.write(response('Zoë', { status, headers: 'Retry-After: 9\r\n' }));
      const answer = await rig.create()(rig.request());
      assert.deepEqual([answer.status, answer.headers['retry-after']], [status, '9']);
      assert.deepEqual(Buffer.from(answer.body), Buffer.from('Zoë'));
    }
  },

  'follows no redirect': async (rig) => {
    for (const status of [301, 302, 303, 307, 308]) {
      const before = rig.server.requests.length;
      const headers = `location: ${rig.server.url}/elsewhere\r\n`;
      rig.server.answer = (socket) => socket.write(response('', { status, headers }));
      assert.equal((await rig.create()(rig.request())).status, status);
      assert.equal(rig.server.requests.length - before, 1);
    }
  },

  'uses no proxy of the environment, for loopback or any other host': async (rig) => {
    const proxy = new RawServer();
    await proxy.start();
    const before = PROXY_VARIABLES.map((name) => process.env[name]);
    for (const name of PROXY_VARIABLES) process.env[name] = proxy.url;
    try {
      const transport = rig.create({ timeoutMs: 500 });
      await transport(rig.request());
      await transport(rig.request({ url: rig.server.url.replace('127.0.0.1', 'localhost') })).catch(() => undefined);
      for (const url of ['http://upstream.invalid/', 'https://upstream.invalid/'])
        await rig.failure(transport, { url });
    } finally {
      PROXY_VARIABLES.forEach((name, at) => {
        if (before[at] === undefined) delete process.env[name];
        else process.env[name] = before[at];
      });
      await proxy.stop();
    }
    assert.equal(proxy.connections.length, 0);
  },

  'uses the agents of its settings, if it supports them': async (rig) => {
    if (!rig.stage.usesAgents) return;
    const http = new CountingAgent();
    await rig.create({ agent: { http } })(rig.request());
    assert.equal(http.created, 1);
  },

  'fails with upstream_timeout after its timeout': async (rig) => {
    rig.server.answer = () => undefined;
    assertCode(await rig.failure(rig.create({ timeoutMs: 60 })), 'upstream_timeout');
    rig.server.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
    assertCode(await rig.failure(rig.create({ timeoutMs: 60 })), 'upstream_timeout');
  },

  'closes the connection when the signal aborts': async (rig) => {
    for (const sent of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf']) {
      const before = rig.server.requests.length;
      rig.server.answer = (socket) => socket.write(sent);
      const ending = new AbortController();
      const failure = rig.failure(rig.create(), { signal: ending.signal });
      await until(() => rig.server.requests.length > before, 'the request arrives');
      ending.abort(new Error(SECRET));
      assertCode(await failure, 'upstream_timeout');
      const socket = rig.server.connection(rig.server.connections.length - 1);
      await until(() => socket.destroyed, 'the connection is closed');
    }
  },

  'sends nothing if the signal has aborted before': async (rig) => {
    assertCode(await rig.failure(rig.create(), { signal: AbortSignal.abort() }), 'upstream_timeout');
    assert.equal(rig.server.connections.length, 0);
  },

  'reads a body of the maximum length, and fails with upstream_malformed for a longer one': async (rig) => {
    for (const write of [response, chunked, gzipped]) {
      rig.server.answer = (socket) => socket.write(write('x'.repeat(MOST)));
      assert.equal((await rig.text(rig.create())).length, MOST, write.name);
      rig.server.answer = (socket) => socket.write(write('x'.repeat(MOST + 1)));
      assertCode(await rig.failure(rig.create()), 'upstream_malformed', write.name);
    }
  },

  'reads a compressed body, whatever the case of letters of its encoding, and deflate without the header of zlib':
    async (rig) => {
      const encodings: [string, (body: string) => Buffer][] = [
        ...['gzip', 'GZIP', 'x-gzip', 'compress', 'X-Compress'].map((name): [string, typeof gzipSync] => [
          name,
          gzipSync,
        ]),
        ...['br', 'BR'].map((name): [string, typeof brotliCompressSync] => [name, brotliCompressSync]),
        ['deflate', deflateSync],
        ['Deflate', deflateRawSync],
      ];
      for (const [encoding, compress] of encodings) {
        rig.server.answer = (socket) => socket.write(compressed('a body', encoding, compress));
        assert.equal(await rig.text(rig.create()), 'a body', encoding);
      }
    },

  'fails with upstream_malformed for anything but HTTP, and for a wrong compression': async (rig) => {
    const answers = ['220 mail.example.test ESMTP\r\n', response('plain', { headers: 'content-encoding: gzip\r\n' })];
    for (const answer of answers) {
      rig.server.answer = (socket) => socket.end(answer);
      assertCode(await rig.failure(rig.create()), 'upstream_malformed', answer);
    }
  },

  'fails with upstream_unavailable without a connection, and for an answer that is cut off': async (rig) => {
    rig.server.answer = (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
    assertCode(await rig.failure(rig.create()), 'upstream_unavailable');
    await rig.server.stop();
    assertCode(await rig.failure(rig.create()), 'upstream_unavailable');
  },

  'keeps nothing of the request in a failure': async (rig) => {
    rig.server.answer = (socket) => socket.resetAndDestroy();
    assert.deepEqual(spilled(await rig.failure(rig.create()), [SECRET]), []);
  },
};

class CountingAgent extends Agent {
  created = 0;

  override createConnection(...given: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    this.created++;
    return super.createConnection(...given);
  }
}

function assertCode(failure: TransportFailure, code: XPayAuthErrorCode, what?: string): void {
  assert.equal(transportFailure(failure).code, code, what);
}

function chunked(body: string): string {
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

function gzipped(body: string): Buffer {
  return compressed(body, 'gzip', gzipSync);
}

function compressed(body: string, encoding: string, compress: (body: string) => Buffer): Buffer {
  const bytes = compress(body);
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}
