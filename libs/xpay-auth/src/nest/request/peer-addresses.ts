import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';

/**
 * The built-in diagnostics channel to which Node publishes each connection that a server of this process accepts
 * (`diagnostics_channel`).
 */
const ACCEPTED = 'net.server.socket';

/**
 * A connection that a server has accepted. Node does not document the two members. In a Node version without them, the address is
 * not kept.
 */
interface AcceptedSocket extends Socket {
  readonly server?: Server;
  /** With TLS, the underlying TCP connection. */
  readonly _parent?: Socket | null;
}

const servers = new WeakSet<Server>();

/**
 * Keeps the address of each peer readable after the connection was reset, because the operating system no longer returns it then.
 * Applies to every server of the process, including the server of a gateway and a server on a second port.
 */
@Injectable()
export class PeerAddresses implements OnModuleInit, OnApplicationShutdown {
  /** Called by Nest. */
  onModuleInit(): void {
    subscribe(ACCEPTED, keepAddress);
  }

  /** Called by Nest when the server is closed. */
  onApplicationShutdown(): void {
    unsubscribe(ACCEPTED, keepAddress);
  }
}

function keepAddress(message: unknown): void {
  const { socket } = message as { readonly socket: AcceptedSocket };
  // Node caches the address after the first read.
  void socket.remoteAddress;
  const { server } = socket;
  if (server === undefined || servers.has(server)) return;
  servers.add(server);
  server.prependListener('secureConnection', keepAddressOfTls);
  server.prependListener('stream', keepAddressOfStream);
}

/**
 * With TLS 1.3, a request and a reset can arrive together with the end of the handshake. In this case, only the TCP connection
 * has the address.
 */
function keepAddressOfTls(socket: AcceptedSocket): void {
  define(socket, socket.remoteAddress ?? socket._parent?.remoteAddress);
}

/** With HTTP/2, the `socket` of a request reads the address from the stream after the session has ended. */
function keepAddressOfStream(stream: ServerHttp2Stream): void {
  if (stream.session?.destroyed === false) define(stream, stream.session.socket.remoteAddress);
}

function define(target: object, remoteAddress: string | undefined): void {
  if (remoteAddress === undefined) return;
  Object.defineProperty(target, 'remoteAddress', { value: remoteAddress, configurable: true, writable: true });
}
