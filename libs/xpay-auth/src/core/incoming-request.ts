import type { IncomingHttpHeaders } from 'node:http';
import type { ChallengeScheme } from './challenge.js';
import type { Credentials } from './credentials.js';

/** The parts of an HTTP request that this library reads, of Express, Fastify and Node. */
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
  /** The client's address by the platform's trusted-proxy setting. */
  readonly ip?: string | undefined;
  /** Addresses that trusted proxies passed on. Fastify begins with the peer's own, and has none when it trusts no proxy. */
  readonly ips?: readonly string[] | undefined;
  /** The caller, by Passport's convention. */
  user?: unknown;
  /** On a socket: the handshake without its headers, for extractors. */
  readonly handshake?: Handshake | undefined;
  /** In a microservice: the message, for extractors. Its string metadata, if any, are the `headers`. */
  readonly rpc?: RpcMessage | undefined;
}

/** The handshake of a socket, without its headers. */
export interface Handshake {
  /**
   * The `auth` of socket.io's client (GraphQL subscriptions: `connectionParams`), without `username`, `secretKey` and
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

/** The result of an extractor: credentials to check, or a bearer token of this app. */
export type ExtractedCredentials =
  | Credentials
  | {
      /** A bearer token of this app, as `XPaySessionService.login()` gave it. */
      readonly token: string;
    };

/**
 * Another place to present credentials: a header of your own, a cookie, the handshake of a socket (`request.handshake`), a
 * message (`request.rpc`). Extractors must not read the `Authorization` header: `'basic'` and `'bearer'` do.
 */
export interface CredentialsExtractor extends ChallengeScheme {
  /** Returns `undefined` when the request has none. Throw an `XPayAuthError`, `invalid_request`, for malformed credentials. */
  extract(request: IncomingRequest): ExtractedCredentials | undefined;
}
