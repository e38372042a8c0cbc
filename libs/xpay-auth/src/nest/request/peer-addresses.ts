import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';

/** Node publishes each connection that any server of this process accepts (`diagnostics_channel`, built-in channels). */
const ACCEPTED = 'net.server.socket';

/** A connection as Node hands it to a server. The two members are undocumented; without them the address is not kept. */
interface AcceptedSocket extends Socket {
  readonly server?: Server;
  /** TLS: the TCP connection below. */
  readonly _parent?: Socket | null;
}

const servers = new WeakSet<Server>();

/**
 * Keeps the address of each peer readable after its connection is reset, when the system has forgotten it. Holds for every
 * server of the process, that of a gateway or of a second port included.
 */
@Injectable()
export class PeerAddresses implements OnModuleInit, OnApplicationShutdown {
  /** Nest calls it. */
  onModuleInit(): void {
    subscribe(ACCEPTED, keepAddress);
  }

  /** Nest calls it, once the server is closed. */
  onApplicationShutdown(): void {
    unsubscribe(ACCEPTED, keepAddress);
  }
}

function keepAddress(message: unknown): void {
  const { socket } = message as { readonly socket: AcceptedSocket };
  // Node keeps what was read once.
  void socket.remoteAddress;
  const { server } = socket;
  if (server === undefined || servers.has(server)) return;
  servers.add(server);
  server.prependListener('secureConnection', keepAddressOfTls);
  server.prependListener('stream', keepAddressOfStream);
}

/** With TLS 1.3 a request and the reset can arrive with the end of the handshake: only the TCP connection has the address. */
function keepAddressOfTls(socket: AcceptedSocket): void {
  define(socket, socket.remoteAddress ?? socket._parent?.remoteAddress);
}

/** HTTP/2: the `socket` of a request reads from its stream once the session is gone. */
function keepAddressOfStream(stream: ServerHttp2Stream): void {
  if (stream.session?.destroyed === false) define(stream, stream.session.socket.remoteAddress);
}

function define(target: object, remoteAddress: string | undefined): void {
  if (remoteAddress === undefined) return;
  Object.defineProperty(target, 'remoteAddress', { value: remoteAddress, configurable: true, writable: true });
}
