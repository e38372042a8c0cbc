import type { IncomingHttpHeaders } from 'node:http';
import type { ChallengeScheme } from './challenge.js';
import type { Credentials } from './credentials.js';

/** The properties of an HTTP request of Express, Fastify or Node that this library reads. */
export interface IncomingRequest {
  /** Node's headers: names in lower case. */
  headers: IncomingHttpHeaders;
  /** Express and Node: every header line as received. `headers` has only the first of two `Authorization` lines. */
  readonly rawHeaders?: readonly string[];
  /** Fastify: Node's request. */
  readonly raw?: {
    /** Every header line as received. */
    readonly rawHeaders?: readonly string[];
    /** Node's headers. */
    readonly headers?: IncomingHttpHeaders;
  };
  /** The connection, with the property names of Node's `net.Socket`. */
  readonly socket?: {
    /** The address of the peer, which is a client or a proxy. Absent for a Unix socket. */
    readonly remoteAddress?: string | undefined;
    /** The server's own address. Absent for a Unix socket and for a destroyed socket. */
    readonly localAddress?: string | undefined;
    /** Whether the connection is closed. */
    readonly destroyed?: boolean | undefined;
  };
  /** The client's address according to the platform's trusted-proxy setting. */
  readonly ip?: string | undefined;
  /**
   * The addresses that trusted proxies passed on. In Fastify, the first one is the peer's own address, and the list is absent if
   * no proxy is trusted.
   */
  readonly ips?: readonly string[] | undefined;
  /** The caller, by Passport's convention. */
  user?: unknown;
  /** For a socket: the handshake without its headers, for extractors. */
  readonly handshake?: Handshake | undefined;
  /** For a microservice: the message, for extractors. The string values of its metadata, if any, are in `headers`. */
  readonly rpc?: RpcMessage | undefined;
}

/** The handshake of a socket, without its headers. */
export interface Handshake {
  /**
   * The `auth` of a socket.io client, or the `connectionParams` of a GraphQL subscription. `username`, `secretKey` and `token`
   * are removed, because the library reads them without an extractor.
   */
  readonly auth: Readonly<Record<string, unknown>>;
  /** Path and query of the request that opened the socket. */
  readonly url: string | undefined;
}

/** A message of a microservice, as the transport hands it to Nest. */
export interface RpcMessage {
  /** The payload. In a handler with `@GrpcStreamCall()`, the call. */
  readonly data: unknown;
  /** The transport's own context, such as `TcpContext` or `KafkaContext`; with gRPC the `Metadata` of the call. */
  readonly context: object;
}

/** The result of an extractor: credentials to check, or a bearer token of this app. */
export type ExtractedCredentials =
  | Credentials
  | {
      /** A bearer token of this app, as `XPaySessionService.login()` returned it. */
      readonly token: string;
    };

/**
 * Reads credentials from another place: a header of your own, a cookie, the handshake of a socket (`request.handshake`), or a
 * message (`request.rpc`). An extractor must not read the `Authorization` header, because `'basic'` and `'bearer'` read it.
 */
export interface CredentialsExtractor extends ChallengeScheme {
  /**
   * Returns the credentials; `undefined` if the request has none. For malformed credentials, throw an `XPayAuthError` with the
   * code `invalid_request`.
   */
  extract(request: IncomingRequest): ExtractedCredentials | undefined;
}
