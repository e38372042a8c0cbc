import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';

/** The settings of the option `http` that concern a single request. */
export interface TransportSettings {
  /** Ms for a whole request; see `UpstreamClient`. */
  readonly timeoutMs: number;
  /** Bytes of the longest body that is read, after decompression. */
  readonly maxResponseBytes: number;
  /** @default agents of our own that keep connections alive */
  readonly agent?: { readonly http?: HttpAgent | undefined; readonly https?: HttpsAgent | undefined } | undefined;
}

/** One HTTP request, as it goes over the wire. */
export interface TransportRequest {
  /** Absolute, in the form of `URL.href`. A fragment is not sent. */
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In UTF-8; none when left out. */
  readonly body?: string | undefined;
  /** When it aborts, the request ends and its connection is closed. */
  readonly signal: AbortSignal;
}

/** One HTTP response, whatever its status. */
export interface TransportAnswer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** After decompression. */
  readonly body: Uint8Array;
}

/**
 * Sends one HTTP request. It follows no redirect, uses no proxy of the environment, and never returns bytes that the server
 * sent before the request. Rejects with a {@link TransportFailure} if there is no whole answer.
 *
 * `testing/kit/transport-contract.ts` has a test of each requirement.
 */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** A transport for the option `http.transport`: `undiciTransport()` of `nestjs-xpay-auth/undici`. */
export interface HttpTransport {
  /**
   * Returns the transport of one instance. `close` closes its idle connections at once, and each other connection after its
   * request.
   * @internal
   */
  open(settings: TransportSettings): { readonly send: Transport; close(): void };
}

/** The code of an answer that is longer than `maxResponseBytes`. */
export const RESPONSE_TOO_LARGE = 'ERR_RESPONSE_TOO_LARGE';

/** The failure of a request without a whole answer. It holds nothing of the request. */
export class TransportFailure extends Error {
  override readonly name = 'TransportFailure';

  constructor(
    /**
     * Node's name of the reason, such as `ECONNRESET`; `ETIMEDOUT` after the timeout, `ERR_CANCELED` after an abort,
     * {@link RESPONSE_TOO_LARGE}, `HPE_…` for anything but HTTP and `Z_…` for a wrong compression.
     */
    readonly code: string | undefined,
    /** The request was sent on a connection that had carried another one. */
    readonly reusedConnection: boolean,
    /** The server sent at least one byte after the request had its connection. */
    readonly anyByteReceived: boolean,
  ) {
    super(code ?? 'no reason given');
  }

  /** A reused connection was reset without an answer: the server had most likely closed it before the request. */
  get wasStaleConnection(): boolean {
    return this.reusedConnection && !this.anyByteReceived && /^(?:ECONNRESET|EPIPE)$/.test(this.code ?? '');
  }
}
