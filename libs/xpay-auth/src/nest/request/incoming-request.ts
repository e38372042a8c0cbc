import type { ArgumentsHost } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { XPayAuthError } from '../../core/errors.js';

/** The parts of an HTTP request that Express, Fastify and Node agree on, and the one where they do not. */
export interface IncomingRequest {
  /** Node's headers: names in lower case. */
  headers: IncomingHttpHeaders;
  /** Express and Node: every header line as it came. Of two `Authorization` lines `headers` silently has the first alone. */
  readonly rawHeaders?: readonly string[];
  /** Fastify: Node's request. */
  readonly raw?: {
    /** Every header line as it came. */
    readonly rawHeaders?: readonly string[];
    /** Node's headers. */
    readonly headers?: IncomingHttpHeaders;
  };
  /** The connection, in the terms of Node's `net.Socket`. */
  readonly socket?: {
    /** The address of the peer, a client or a proxy. A Unix socket has none. */
    readonly remoteAddress?: string | undefined;
    /** The address of this end. A Unix socket has none, nor has a destroyed socket. */
    readonly localAddress?: string | undefined;
    /** The connection is closed. */
    readonly destroyed?: boolean | undefined;
  };
  /** The client's address as the platform's trusted-proxy setting has it. */
  readonly ip?: string | undefined;
  /** Addresses that trusted proxies passed on. Fastify begins with the peer's own, and has none when it trusts nobody. */
  readonly ips?: readonly string[] | undefined;
  /** Where Passport keeps who is calling. */
  user?: unknown;
  /** On a socket: what its handshake brought beside headers, for extractors. */
  readonly handshake?: Handshake | undefined;
  /** In a microservice: the message, for extractors. Its string metadata, if any, are the `headers`. */
  readonly rpc?: RpcMessage | undefined;
}

/** What a socket's handshake brings beside headers. */
export interface Handshake {
  /**
   * What socket.io's client sent as `auth` (GraphQL subscriptions: `connectionParams`), without `username`, `secretKey` and
   * `token`, which are read without an extractor.
   */
  readonly auth: Readonly<Record<string, unknown>>;
  /** Path and query. */
  readonly url: string | undefined;
}

/** A message of a microservice, as the transport hands it to Nest. */
export interface RpcMessage {
  /** The payload; with `@GrpcStreamCall()` the call. */
  readonly data: unknown;
  /** The transport's own context, such as `TcpContext` or `KafkaContext`; with gRPC the `Metadata` of the call. */
  readonly context: object;
}

/** The request of an HTTP context. Without `switchToHttp()`, which hangs three functions on the context each time. */
export function requestOf(context: ArgumentsHost): IncomingRequest {
  return context.getArgByIndex<IncomingRequest>(0);
}

/** The value of the one `Authorization` line; `undefined` when there is none, and when there are several. Never throws. */
export function soleAuthorizationOf(request: IncomingRequest): string | undefined {
  return countAuthorizationLines(request) > 1 ? undefined : request.headers.authorization;
}

/** The one `Authorization` line of a request. Throws `invalid_request` when there are two. */
export function authorizationOf(request: IncomingRequest): string | undefined {
  if (countAuthorizationLines(request) > 1) {
    throw new XPayAuthError('invalid_request', 'The request has two Authorization lines');
  }
  return request.headers.authorization;
}

/** Node's `headers` has the first line alone. */
function countAuthorizationLines(request: IncomingRequest): number {
  // In this order: Express' requests have no `raw`, and to find that out takes as long as a look at all the lines.
  const lines = request.rawHeaders ?? request.raw?.rawHeaders ?? [];
  let count = 0;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') count++;
  }
  return count;
}

/** Removes the credentials from a request, so that no controller, log or proxied call repeats them. */
export function stripCredentials(request: IncomingRequest): void {
  delete request.headers.authorization;
  if (request.raw?.headers !== undefined) delete request.raw.headers.authorization;
  const lines = (request.raw?.rawHeaders ?? request.rawHeaders ?? []) as string[];
  for (let i = lines.length - 2; i >= 0; i -= 2) if (lines[i]?.toLowerCase() === 'authorization') lines.splice(i, 2);
}

/** The request is sent by a script in a browser (`fetch`, `XMLHttpRequest`): no login box may open (Fetch Metadata, W3C). */
export function isFromScript(request: IncomingRequest): boolean {
  return request.headers['sec-fetch-dest'] === 'empty';
}
