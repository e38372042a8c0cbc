import type { ArgumentsHost } from '@nestjs/common';
import type { FailureStatus } from '../../core/failures.js';
import { detailsOf, failureMessage, headersOf, type FailureMessage } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import type { Denial } from './request-context.js';

/** The metadata class of grpc-js. Declared here, because this library never loads grpc-js. */
interface GrpcMetadata {
  getMap(): Readonly<Record<string, unknown>>;
  get(key: string): readonly unknown[];
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** A call of a gRPC server, of any kind: unary, or streaming in one or both directions. */
export interface GrpcCall {
  readonly metadata: GrpcMetadata;
  readonly cancelled?: boolean;
  /** The address and port of the peer, or `unknown`. */
  getPeer(): string;
  emit(event: 'error', status: object): unknown;
}

/** Returns the call of a gRPC handler; `undefined` for any other. Nest passes the call last, but first to `@GrpcStreamCall()`. */
export function grpcCallOf(host: ArgumentsHost): GrpcCall | undefined {
  const [first, , third] = host.getArgs<unknown[]>();
  return [third, first].find(isCall);
}

/** Returns the metadata as headers, and the peer as the connection. A value that is not a string becomes an empty string. */
export function requestOfCall(call: GrpcCall): Required<Pick<IncomingRequest, 'headers' | 'rawHeaders' | 'socket'>> {
  const { metadata } = call;
  const lines = Object.keys(metadata.getMap()).flatMap((key) =>
    metadata.get(key).map((value) => [key, typeof value === 'string' ? value : ''] as const),
  );
  // Reversed, so that the first of several values remains, as in Node's `headers`.
  const headers = Object.fromEntries(lines.toReversed());
  const remoteAddress = addressOfPeer(call.getPeer());
  return { headers, rawHeaders: lines.flat(), socket: { remoteAddress, destroyed: call.cancelled === true } };
}

/** The failure message of the other transports, with the fields that Nest passes to grpc-js as the status of the call. */
export interface GrpcFailure extends FailureMessage {
  readonly code: number;
  readonly details: string;
  /** Trailing metadata. */
  readonly metadata: GrpcMetadata;
}

export function grpcFailure({ failure, challenge }: Denial, call: GrpcCall): GrpcFailure {
  const { 'cache-control': _, ...headers } = headersOf(failure, challenge);
  const { retryAfterMs } = detailsOf(failure);
  const trailers = {
    'error-code': failure.code,
    ...headers,
    // Server pushback (gRFC A6): a client with a retry policy waits for this time.
    ...(retryAfterMs !== undefined && { 'grpc-retry-pushback-ms': String(Math.ceil(retryAfterMs)) }),
  };
  const metadata = new (call.metadata.constructor as new () => GrpcMetadata)();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  const status = failure.getStatus() as FailureStatus;
  return { ...failureMessage(failure), code: CODES[status], details: failure.publicMessage, metadata };
}

/**
 * Ends the call of a `@GrpcStreamCall()` handler with this status and returns `true`. Returns `false` for any other handler,
 * because Nest sends its status. For a `@GrpcStreamCall()` handler, Nest sends no status and leaves the rejected promise
 * unhandled, which would end the process.
 */
export function endStreamCall(host: ArgumentsHost, status: object): boolean {
  const [first, callback] = host.getArgs<unknown[]>();
  if (!isCall(first)) return false;
  if (typeof callback === 'function') callback(status);
  else first.emit('error', status);
  return true;
}

/** gRPC status codes by HTTP status. A 502 is INTERNAL, because UNAVAILABLE means that a retry may help. */
const CODES: Readonly<Record<FailureStatus, number>> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 5, // NOT_FOUND
  429: 8, // RESOURCE_EXHAUSTED
  500: 13, // INTERNAL
  502: 13,
  503: 14, // UNAVAILABLE
  504: 4, // DEADLINE_EXCEEDED
};

function isCall(value: unknown): value is GrpcCall {
  if (typeof value !== 'object' || value === null) return false;
  const { getPeer, metadata } = value as { getPeer?: unknown; metadata?: { getMap?: unknown } | null };
  return typeof getPeer === 'function' && typeof metadata?.getMap === 'function';
}

/** Returns the address of a peer without its port. A Unix socket has no address: its peer is `unknown`. */
function addressOfPeer(peer: string): string | undefined {
  if (peer === 'unknown') return undefined;
  const end = peer.lastIndexOf(':');
  return end === -1 ? peer : peer.slice(0, end);
}
