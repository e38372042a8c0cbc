import type { INestApplication } from '@nestjs/common';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Worker } from 'node:worker_threads';

/** The protocol between a resetting client and the server. */
export type Wire = 'http' | 'https' | 'h2c' | 'h2';

/** Sends one request on the open connection, then resets the connection. */
export type SendAndReset = (headers: Readonly<Record<string, string>>) => void;

/** Opens a connection that the server has accepted. */
export async function openConnection(wire: Wire, server: Server, path: string): Promise<SendAndReset> {
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await Promise.all([accepted, once(socket, 'connect')]);
  if (wire === 'h2' || wire === 'h2c') return overHttp2(socket, wire === 'h2', path);
  const line = wire === 'http' ? socket : await secured(socket);
  return (headers) => {
    line.write(requestText(path, headers));
    // TLS writes to the socket before the next turn of the event loop.
    if (wire === 'http') process.nextTick(() => socket.resetAndDestroy());
    else setImmediate(() => socket.resetAndDestroy());
  };
}

async function overHttp2(socket: Socket, secure: boolean, path: string): Promise<SendAndReset> {
  const line = secure ? await secured(socket, ['h2']) : socket;
  const session = connectHttp2('http://127.0.0.1', { createConnection: () => line }).on('error', () => undefined);
  await once(session, 'remoteSettings');
  return (headers) => {
    session.request({ ':path': path, ...headers }).on('error', () => undefined);
    setImmediate(() => socket.resetAndDestroy());
  };
}

async function secured(socket: Socket, protocols: string[] = []): Promise<Socket> {
  const line = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: protocols });
  line.on('error', () => undefined);
  await once(line, 'secureConnect');
  return line;
}

function requestText(path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`;
}

/** Sends each request on a new connection, and resets all connections before the server can accept the first one. */
export async function resetBeforeAccepted(
  server: Server,
  path: string,
  requests: readonly Readonly<Record<string, string>>[],
): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const texts = requests.map((headers) => requestText(path, headers));
  const worker = new Worker(CLIENT_IN_A_THREAD, { eval: true, workerData: { port, texts, gate } });
  await once(worker, 'online');
  // The server cannot accept a connection while this thread waits. Meanwhile the kernel completes and queues the connections.
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  Atomics.wait(gate, 1, 0);
  await once(worker, 'exit');
}

const CLIENT_IN_A_THREAD = `
const { connect } = require('node:net');
const { workerData: { port, texts, gate } } = require('node:worker_threads');
Atomics.wait(gate, 0, 0);
let left = texts.length;
for (const text of texts) {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write(text, () => socket.resetAndDestroy());
  socket.on('close', () => {
    if (--left > 0) return;
    Atomics.store(gate, 1, 1);
    Atomics.notify(gate, 1);
  });
}`;

/** Adds an asynchronous middleware: a request with the header `x-reset` continues once its connection is closed. */
export function goOnWhenClosed(app: INestApplication): void {
  app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
    if (request.headers['x-reset'] === undefined || request.socket.destroyed) next();
    else response.once('close', () => next());
  });
}

/** Creates a key and a self-signed certificate for TLS on loopback. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const written = ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const pem = execFileSync('openssl', [...written, '-subj', '/CN=localhost', '-keyout', '-', '-out', '-'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return { key: pem, cert: pem };
}
