import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createInflateRaw, createUnzip } from 'node:zlib';
import { Client, buildConnector } from 'undici';
import { systemClock } from '../async/system-clock.js';
import { createDrain } from '../async/promises.js';
import {
  type HttpTransport,
  RESPONSE_TOO_LARGE,
  type Transport,
  type TransportAnswer,
  TransportFailure,
  type TransportRequest,
  type TransportSettings,
} from './transport.js';

/** Options of {@link undiciTransport}. */
export interface UndiciTransportOptions {
  /**
   * TLS options of Node for connections to the upstream, such as `ca`, `cert` and `key`.
   * @default the defaults of Node
   */
  tls?: Pick<
    ConnectionOptions,
    'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'ciphers' | 'minVersion' | 'maxVersion' | 'servername'
  >;
}

/**
 * Returns a transport for the option `http.transport` that sends requests with undici instead of axios. It needs the optional
 * peer `undici`. Each instance of the module has separate connections, which are closed with the instance. The transport uses
 * neither the proxy of variables such as `HTTP_PROXY` nor undici's global dispatcher.
 *
 * The boot throws `configuration` if `http.agent` is set too.
 */
export function undiciTransport(options: UndiciTransportOptions = {}): HttpTransport {
  return {
    open: (settings) => {
      const connections = new Connections(settings, options);
      const send: Transport = (request) => connections.send(request);
      return Object.assign(send, { close: () => connections.close() });
    },
  };
}

/** Ms after which an idle connection is closed. Node's agents and the axios transport use the same time. */
const KEEP_ALIVE_MS = 5_000;

/**
 * The connections of one instance. A pool of undici does not report which connection a request used. Each connection is therefore
 * a separate `Client`, and carries at most one request at a time.
 */
class Connections {
  /** Idle connections. The connection that became idle last is at the end of the list and is used first. */
  readonly #idle: Connection[] = [];
  readonly #connector: buildConnector.connector;
  readonly #drain = createDrain();
  #isClosed = false;

  constructor(
    private readonly settings: TransportSettings,
    { tls }: UndiciTransportOptions,
  ) {
    // All connections share one connector. It keeps TLS sessions, so that new connections can resume them.
    this.#connector = buildConnector({ ...tls, timeout: settings.timeoutMs, allowH2: false });
  }

  async send(request: TransportRequest): Promise<TransportAnswer> {
    const pathAt = request.url.indexOf('/', request.url.indexOf('//') + 2);
    const origin = request.url.slice(0, pathAt);
    const [path = ''] = request.url.slice(pathAt).split('#', 1);
    if (this.#idle.length > 0) await this.#drain();
    if (request.signal.aborted) throw new TransportFailure('ERR_CANCELED', false, false);
    const connection = this.#take(origin);
    try {
      const answer = await connection.send(request, path);
      if (!this.#isClosed && connection.rest()) this.#idle.push(connection);
      else connection.close();
      return answer;
    } catch (thrown) {
      connection.close();
      const failure = connection.failure(thrown);
      // The other idle connections are as old or older. They are closed too, because the server may have restarted.
      if (failure.wasStaleConnection) this.#closeIdle();
      throw failure;
    }
  }

  /** Closes idle connections immediately, and each other connection after its request. */
  close(): void {
    this.#isClosed = true;
    this.#closeIdle();
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #take(origin: string): Connection {
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const connection = this.#idle[at];
      if (connection?.origin !== origin) continue;
      this.#idle.splice(at, 1);
      if (connection.isUsable()) return connection;
      connection.close();
    }
    return new Connection(origin, this.#connector, this.settings, (closed) => {
      const place = this.#idle.indexOf(closed);
      if (place !== -1) this.#idle.splice(place, 1);
    });
  }
}

/** One connection, with at most one request at a time. */
class Connection {
  readonly #client: Client;
  #socket: Socket | undefined;
  /** Number of bytes that the socket had received before the request. */
  #bytesBefore = 0;
  /** Whether the socket had carried another request before the current one. */
  #isReused = false;
  #isIdle = false;
  /** The error code if this transport ended the request itself. */
  #ended: string | undefined;

  constructor(
    readonly origin: string,
    connector: buildConnector.connector,
    private readonly settings: TransportSettings,
    private readonly onClose: (closed: Connection) => void,
  ) {
    this.#client = new Client(origin, {
      allowH2: false,
      // The timeout of `send` limits the whole request. These two timeouts would only end silent connections.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Limits the bytes on the wire. `decompressed` limits the bytes after decompression.
      maxResponseSize: settings.maxResponseBytes,
      // `connect` can be called several times, because a client connects again if its socket was closed before the request was
      // written.
      connect: (target, callback) => {
        this.#socket = undefined;
        this.#isReused = false;
        connector(target, (...result) => {
          if (result[0] === null) this.#watch(result[1]);
          callback(...result);
        });
      },
    });
  }

  async send({ method, headers, body, signal }: TransportRequest, path: string): Promise<TransportAnswer> {
    const { timeoutMs, maxResponseBytes } = this.settings;
    this.#isIdle = false;
    this.#isReused = this.#socket !== undefined;
    this.#bytesBefore = this.#socket?.bytesRead ?? 0;
    const abort = (): void => this.#end('ERR_CANCELED');
    signal.addEventListener('abort', abort, { once: true });
    const cancelTimer = systemClock.setTimer(() => this.#end('ETIMEDOUT'), timeoutMs);
    try {
      const response = await this.#client.request({
        path,
        method,
        headers: { 'user-agent': 'undici', 'accept-encoding': 'gzip, deflate, br', ...headers },
        body: body ?? null,
      });
      const received = new Uint8Array(await response.body.arrayBuffer());
      const decompress = decompressorOf(response.headers['content-encoding'], received);
      const bytes = decompress === undefined ? received : await decompressed(received, decompress, maxResponseBytes);
      return { status: response.statusCode, headers: response.headers, body: bytes };
    } finally {
      cancelTimer();
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * Sets the connection to idle, and returns whether it can be used for another request. An idle connection must not receive any
   * byte.
   */
  rest(): boolean {
    this.#isIdle = true;
    this.#bytesBefore = this.#socket?.bytesRead ?? 0;
    return this.isUsable();
  }

  /** Whether an idle connection is open and has received nothing. */
  isUsable(): boolean {
    const socket = this.#socket;
    return socket !== undefined && isOpen(socket) && socket.bytesRead === this.#bytesBefore;
  }

  close(): void {
    void this.#client.destroy();
  }

  /** Converts an error of undici. Keeps only the code, because the error may contain the request. */
  failure(thrown: unknown): TransportFailure {
    return new TransportFailure(
      this.#ended ?? nodeCode(thrown as NodeJS.ErrnoException),
      this.#isReused,
      (this.#socket?.bytesRead ?? 0) > this.#bytesBefore,
    );
  }

  #end(code: string): void {
    this.#ended = code;
    this.close();
  }

  /** Closes the connection if it receives bytes or is ended by the server while it is idle. */
  #watch(socket: Socket): void {
    this.#socket = socket;
    this.#bytesBefore = socket.bytesRead;
    socket.on('readable', () => {
      if (this.#isIdle) this.close();
    });
    socket.once('close', () => this.onClose(this));
  }
}

/** Node's codes for the causes of undici's codes. */
const NODE_CODES: Readonly<Record<string, string>> = {
  // The server closed the connection before the end of the answer.
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: RESPONSE_TOO_LARGE,
  UND_ERR_HEADERS_OVERFLOW: 'HPE_HEADER_OVERFLOW',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'HPE_INVALID_CONTENT_LENGTH',
};

function nodeCode({ name, code }: NodeJS.ErrnoException): string | undefined {
  // undici 7 leaves out the code of its HTTP parser.
  if (name === 'HTTPParserError') return code ?? 'HPE_UNKNOWN';
  return NODE_CODES[code ?? ''] ?? code;
}

function isOpen(socket: Socket): boolean {
  return !socket.destroyed && socket.readable && socket.writable;
}

/**
 * Returns a stream that decompresses a body with this encoding, or `undefined` for a body that is not compressed. Supports the
 * encodings that the axios transport supports. As with axios, a truncated compressed body is read as far as possible.
 */
function decompressorOf(encoding: unknown, [first]: Uint8Array): Transform | undefined {
  const name = typeof encoding === 'string' ? encoding.toLowerCase() : '';
  if (name === 'br') return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
  const options = { finishFlush: constants.Z_SYNC_FLUSH };
  // Some servers send deflate without the header of zlib, which begins with this byte.
  if (name === 'deflate' && first !== 0x78) return createInflateRaw(options);
  return /^(?:deflate|(?:x-)?(?:gzip|compress))$/.test(name) ? createUnzip(options) : undefined;
}

function decompressed(received: Uint8Array, decompress: Transform, most: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    decompress.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > most) decompress.destroy(Object.assign(new Error(), { code: RESPONSE_TOO_LARGE }));
    });
    decompress.on('end', () => resolve(Buffer.concat(chunks)));
    decompress.on('error', reject);
    decompress.end(received);
  });
}
