import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { settled } from './settled.js';

export type Transport = 'socket.io' | 'ws';

/** The credentials of a handshake. Only socket.io has `auth`. */
export interface Opening {
  readonly path: string;
  readonly headers?: Record<string, string | string[]>;
  readonly auth?: Record<string, unknown>;
  readonly polling?: boolean;
  /** socket.io: a namespace other than `/`. */
  readonly namespace?: string;
}

/** One event that was received over a socket. */
export interface Received {
  readonly event: string;
  readonly data: unknown;
}

/** A client of a gateway, with one interface for socket.io and ws. */
export interface GatewayClient extends AsyncDisposable {
  readonly received: Received[];
  /** Returns how the server closed the socket: `true` for socket.io, the close code for ws. */
  readonly closed: () => number | boolean;
  /** Sends an event, and waits until an event is received or the socket is closed. */
  ask(event: string, data?: unknown): Promise<Received | undefined>;
  close(): Promise<void>;
}

/** Opens a socket and waits until it is open or closed. */
export function openSocket(transport: Transport, url: string, opening: Opening): Promise<GatewayClient> {
  return transport === 'ws' ? openWs(url, opening) : openSocketIo(url, opening);
}

async function openWs(url: string, { path, headers = {} }: Opening): Promise<GatewayClient> {
  const socket = new WebSocket(url.replace('http', 'ws') + path, { headers: headers as Record<string, string> });
  const received: Received[] = [];
  let closed: number | boolean = false;
  socket.on('message', (bytes: Buffer) => received.push(JSON.parse(bytes.toString('utf8')) as Received));
  socket.on('close', (code) => (closed = code));
  socket.on('error', () => undefined);
  await settled(() => closed !== false || socket.readyState === WebSocket.OPEN);
  const send = (event: string, data: unknown): void => socket.send(JSON.stringify({ event, data }));
  return asClient({ received, closed: () => closed, send, end: () => socket.close() });
}

async function openSocketIo(url: string, opening: Opening): Promise<GatewayClient> {
  const { path, headers = {}, auth = {}, polling = false, namespace = '/' } = opening;
  const socket = io(url + namespace, {
    path,
    auth,
    extraHeaders: headers as Record<string, string>,
    transports: [polling ? 'polling' : 'websocket'],
    reconnection: false,
    forceNew: true,
  });
  const received: Received[] = [];
  let closed = false;
  socket.onAny((event: string, data: unknown) => received.push({ event, data }));
  socket.on('disconnect', () => (closed = true));
  socket.on('connect_error', () => (closed = true));
  await settled(() => closed || socket.connected);
  return asClient({
    received,
    closed: () => closed,
    send: (event, data) => void socket.emit(event, data),
    end: () => void socket.disconnect(),
  });
}

interface Line {
  readonly received: Received[];
  readonly closed: () => number | boolean;
  readonly send: (event: string, data: unknown) => void;
  readonly end: () => void;
}

function asClient({ received, closed, send, end }: Line): GatewayClient {
  const close = async (): Promise<void> => {
    if (closed() === false) end();
    await settled(() => closed() !== false);
  };
  return {
    received,
    closed,
    ask: async (event, data = {}) => {
      const before = received.length;
      send(event, data);
      await settled(() => received.length > before || closed() !== false);
      return received[before];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
