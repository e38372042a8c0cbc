import type { XPayAuthError } from '../../core/errors.js';
import { type RequestContext, withCause } from './request-context.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { loadWebSockets } from './packages.js';
import { handshakeOf } from './handshakes.js';
import { MessageKey } from './message-key.js';

/**
 * Messages to a WebSocket gateway, of socket.io and of ws. Each is a new decision about what its socket presented at the
 * handshake: from the cache within the period, after it by a call to the upstream.
 */
export const socketContext: RequestContext = {
  // Before the last argument, which Nest reads as the name of the message.
  operationOf: (host) => MessageKey.in(host.getArgs(), -1),

  requestOf: (host) => handshakeOf(host.switchToWs().getClient<object>()),

  async exceptionOf({ failure }) {
    const { WsException } = await loadWebSockets();
    return withCause(new WsException(failureMessage(failure)), failure);
  },

  async answer(denial) {
    try {
      const { BaseWsExceptionFilter } = await loadWebSockets();
      new BaseWsExceptionFilter().catch(await this.exceptionOf(denial), denial.host);
    } catch {
      // The socket is closed. Nest does not wait for this promise: a rejection would end the process.
    }
  },
};

/** A socket of socket.io or of ws: how each is closed, and reports that it is. */
interface AnySocket {
  /** socket.io */
  readonly connected?: boolean;
  /** ws */
  readonly readyState?: number;
  emit?(event: string, message: unknown): unknown;
  once?(event: string, listener: () => void): unknown;
  close?(code: number, reason: string): void;
  disconnect?(close: boolean): void;
}

/** `readyState` of ws: `CLOSING`. `CLOSED` is greater. */
const CLOSING = 2;

/** RFC 6455 §7.4.1: the caller was rejected; an error of this app. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
/** Registered with IANA since. */
const TRY_AGAIN_LATER = 1013;

/** Sends the failure as Nest sends an exception, and closes the socket; one of socket.io with all of its namespaces. */
export async function disconnect(socket: AnySocket, failure: XPayAuthError): Promise<void> {
  const { BaseWsExceptionFilter, WsException } = await loadWebSockets();
  const filter = new BaseWsExceptionFilter({ includeCause: false });
  filter.handleError(socket, new WsException(failureMessage(failure)), { pattern: '', data: undefined });
  if (socket.disconnect !== undefined) socket.disconnect(true);
  else socket.close?.(closeCodeOf(failure), failure.code);
}

/** Whether the client has disconnected. Then the socket reports nothing any more. */
export function isDisconnected({ connected, readyState }: AnySocket): boolean {
  return connected === false || (readyState !== undefined && readyState >= CLOSING);
}

/** Calls back when the socket is closed, from either end: socket.io emits `disconnect`, ws emits `close`. */
export function onDisconnect(socket: AnySocket, callback: () => void): void {
  socket.once?.(socket.disconnect === undefined ? 'close' : 'disconnect', callback);
}

function closeCodeOf({ code, trouble }: XPayAuthError): number {
  if (code === 'configuration') return INTERNAL_ERROR;
  return trouble === 'caller' && code !== 'too_many_attempts' ? POLICY_VIOLATION : TRY_AGAIN_LATER;
}
