import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';

/** The settings of the option `http` that concern a single request. */
export interface TransportSettings {
  /** Deadline of a whole request in ms; see `UpstreamClient`. */
  readonly timeoutMs: number;
  /** Maximum length of a body in bytes after decompression. */
  readonly maxResponseBytes: number;
  /** @default agents of this transport that keep connections alive */
  readonly agent?: { readonly http?: HttpAgent | undefined; readonly https?: HttpsAgent | undefined } | undefined;
}

/** One HTTP request. */
export interface TransportRequest {
  /** Absolute URL in the form of `URL.href`. A fragment is not sent. */
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Body, sent in UTF-8. `undefined` for a request without a body. */
  readonly body?: string | undefined;
  /** If the signal aborts, the request ends and its connection is closed. */
  readonly signal: AbortSignal;
}

/** One HTTP response with any status. */
export interface TransportAnswer {
  readonly status: number;
  /** Headers by name in lower case. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Body after decompression. */
  readonly body: Uint8Array;
}

/**
 * Sends one HTTP request. Does not follow redirects, uses no proxy of the environment, and never returns bytes that the server
 * sent before the request. Rejects with a {@link TransportFailure} if there is no complete answer.
 *
 * `testing/kit/transport-contract.ts` has a test of each requirement.
 */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** A transport with a function that closes its idle connections. */
export type OpenTransport = Transport & { close(): void };

/** A transport for the option `http.transport`: `undiciTransport()` of `nestjs-xpay-auth/undici`. */
export interface HttpTransport {
  /**
   * Returns the transport of one instance.
   * @internal
   */
  open(settings: TransportSettings): OpenTransport;
}

/** The code of an answer that is longer than `maxResponseBytes`. */
export const RESPONSE_TOO_LARGE = 'ERR_RESPONSE_TOO_LARGE';

/** The failure of a request without a complete answer. It contains no part of the request. */
export class TransportFailure extends Error {
  override readonly name = 'TransportFailure';

  constructor(
    /**
     * Node's name of the cause, such as `ECONNRESET`. `ETIMEDOUT` after the timeout, `ERR_CANCELED` after an abort, {@link
     * RESPONSE_TOO_LARGE}, `HPE_…` for an answer that is not HTTP, and `Z_…` for a wrong compression.
     */
    readonly code: string | undefined,
    /** Whether the request was sent on a connection that had carried another request before. */
    readonly reusedConnection: boolean,
    /** Whether the server sent at least one byte after the request was assigned to its connection. */
    readonly anyByteReceived: boolean,
  ) {
    super(code ?? 'no reason given');
  }

  /**
   * Whether a reused connection was reset without an answer. In this case, the server had most likely closed the connection
   * before the request.
   */
  get wasStaleConnection(): boolean {
    return this.reusedConnection && !this.anyByteReceived && /^(?:ECONNRESET|EPIPE)$/.test(this.code ?? '');
  }
}
