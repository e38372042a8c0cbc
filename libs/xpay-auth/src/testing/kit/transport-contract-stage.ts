import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import {
  type Transport,
  TransportFailure,
  type TransportRequest,
  type TransportSettings,
} from '../../http/transport.js';

/** A transport, and what it supports. */
export interface TransportStage {
  /** Creates a transport that shares no connection with any other transport. */
  create(settings: TransportSettings): Transport;
  /** Whether the transport uses the `agent` of its settings. */
  readonly usesAgents: boolean;
}

/** Sends the answer to a request, or does anything else with its connection. */
export type Answer = (socket: Socket, request: string) => unknown;

/** One case of the contract. */
export type TransportPlay = (rig: TransportRig) => Promise<void>;

/** Default settings of the contract. */
export const SETTINGS = { timeoutMs: 5_000, maxResponseBytes: 10_000 } as const;

/** A secret that every request contains. No failure may contain it. */
export const SECRET = 'key-of-bob-77131';

/** A server on 127.0.0.1 that writes exactly the bytes that the case provides. */
export class RawServer {
  /** URL of the server. It does not change when the server is stopped. */
  url = '';
  /** All requests, in order. */
  readonly requests: string[] = [];
  /** All connections in order, including closed connections. */
  readonly connections: Socket[] = [];
  answer: Answer = (socket) => socket.write(response('ok'));
  readonly #server = createServer((socket) => this.#serve(socket));

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Returns the connection with this number. Fails if there is none. */
  connection(at: number): Socket {
    return this.connections[at] ?? assert.fail(`there is no connection ${at}`);
  }

  #serve(socket: Socket): void {
    this.connections.push(socket.setNoDelay(true).on('error', () => undefined));
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('utf8');
      if (!isWhole(received)) return;
      const request = received;
      received = '';
      this.requests.push(request);
      this.answer(socket, request);
    });
  }
}

/** The tools of a case: the stage and a server. */
export class TransportRig {
  constructor(
    readonly stage: TransportStage,
    readonly server: RawServer,
  ) {}

  create(settings: Partial<TransportSettings> = {}): Transport {
    return this.stage.create({ ...SETTINGS, ...settings });
  }

  /** Returns a request to the server. The body and a header contain the secret. */
  request(more: Partial<TransportRequest> = {}): TransportRequest {
    return {
      url: `${this.server.url}/login`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
      body: JSON.stringify({ secretKey: SECRET, name: 'Zoë' }),
      signal: new AbortController().signal,
      ...more,
    };
  }

  /** Returns the body of an answer as text. */
  async text(transport: Transport, more: Partial<TransportRequest> = {}): Promise<string> {
    return Buffer.from((await transport(this.request(more))).body).toString('utf8');
  }

  /** Returns the failure of a request. Fails unless the failure is a `TransportFailure`. */
  async failure(transport: Transport, more: Partial<TransportRequest> = {}): Promise<TransportFailure> {
    const outcome: unknown = await transport(this.request(more)).catch((thrown: unknown) => thrown);
    assert.ok(outcome instanceof TransportFailure, `expected a TransportFailure, not ${String(outcome)}`);
    return outcome;
  }
}

/** Returns a complete answer in HTTP/1.1. */
export function response(body: string, { status = 200, headers = '' } = {}): string {
  return `HTTP/1.1 ${status} Status\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** Lets both ends of a connection read what has been sent. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
  return Buffer.byteLength(text.slice(end + 4)) >= length;
}
