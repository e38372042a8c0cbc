import type { ArgumentsHost } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { FailureStatus } from '../../core/failures.js';
import { detailsOf, failureMessage, headersOf, type FailureMessage } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** Metadata of grpc-js, which this library never loads. */
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

/** Returns the call if this is a handler of gRPC. Nest passes it last; to `@GrpcStreamCall()` first. */
export function grpcCallOf(host: ArgumentsHost): GrpcCall | undefined {
  const [first, , third] = host.getArgs<unknown[]>();
  return [third, first].find(isCall);
}

/** The metadata as header lines, and the peer as their connection. A value that is no text is an empty line. */
export function requestOfCall(call: GrpcCall): Required<Pick<IncomingRequest, 'headers' | 'rawHeaders' | 'socket'>> {
  const { metadata } = call;
  const lines = Object.keys(metadata.getMap()).flatMap((key) =>
    metadata.get(key).map((value) => [key, typeof value === 'string' ? value : ''] as const),
  );
  // The first of several values, as Node's headers have it.
  const headers = Object.fromEntries(lines.toReversed());
  const remoteAddress = addressOfPeer(call.getPeer());
  return { headers, rawHeaders: lines.flat(), socket: { remoteAddress, destroyed: call.cancelled === true } };
}

/** The message of other transports, with the fields that Nest passes to grpc-js as the status of the call. */
export interface GrpcFailure extends FailureMessage {
  readonly code: number;
  readonly details: string;
  /** Trailing metadata. */
  readonly metadata: GrpcMetadata;
}

export function grpcFailure(
  failure: XPayAuthError,
  call: GrpcCall,
  challenge: ChallengeContext | undefined,
): GrpcFailure {
  const { 'cache-control': _, ...headers } = headersOf(failure, challenge);
  const { retryAfterMs } = detailsOf(failure);
  const trailers = {
    'error-code': failure.code,
    ...headers,
    // Server pushback: the retry policy of a client waits for it (gRFC A6).
    ...(retryAfterMs !== undefined && { 'grpc-retry-pushback-ms': String(Math.ceil(retryAfterMs)) }),
  };
  const metadata = new (call.metadata.constructor as new () => GrpcMetadata)();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  const status = failure.getStatus() as FailureStatus;
  return { ...failureMessage(failure), code: CODES[status], details: failure.publicMessage, metadata };
}

/**
 * Ends the call of a `@GrpcStreamCall()` with this status and returns `true`; `false` for any other handler, whose status Nest
 * sends. Nest sends none for such a handler, and leaves its rejected promise unhandled, which ends the process.
 */
export function endStreamCall(host: ArgumentsHost, status: object): boolean {
  const [first, callback] = host.getArgs<unknown[]>();
  if (!isCall(first)) return false;
  if (typeof callback === 'function') callback(status);
  else first.emit('error', status);
  return true;
}

/** Statuses of gRPC by those of HTTP. UNAVAILABLE is only what a retry may help: a 502 is INTERNAL. */
const CODES: Readonly<Record<FailureStatus, number>> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
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

/** Without the port. A Unix socket has no address. */
function addressOfPeer(peer: string): string | undefined {
  if (peer === 'unknown') return undefined;
  const end = peer.lastIndexOf(':');
  return end === -1 ? peer : peer.slice(0, end);
}
