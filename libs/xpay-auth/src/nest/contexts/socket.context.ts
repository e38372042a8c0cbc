import type { XPayAuthError } from '../../core/errors.js';
import { type RequestContext, withCause } from './request-context.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { loadWebSockets } from './packages.js';
import { handshakeOf } from './handshakes.js';
import { MessageKey } from './message-key.js';

/**
 * Messages to a WebSocket gateway of socket.io or ws. Each message is a new decision about the credentials of the socket's
 * handshake. The credential cache answers within the verification period. After the period, we call the upstream.
 */
export const socketContext: RequestContext = {
  // The key goes before the last argument, because Nest reads the last argument as the name of the message.
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
      // The socket is closed. Nest does not await this promise, so a rejection would be unhandled and end the process.
    }
  },
};

/** The members of a socket.io or ws socket with which the library closes the socket and notices that it is closed. */
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

/** The `readyState` of a ws socket that is closing (`CLOSING`). The value of `CLOSED` is greater. */
const CLOSING = 2;

/** Close code for a rejected caller (RFC 6455 §7.4.1). */
const POLICY_VIOLATION = 1008;
/** Close code for an error of this app (RFC 6455 §7.4.1). */
const INTERNAL_ERROR = 1011;
/** Close code for a caller who may connect again later (registered with IANA after RFC 6455). */
const TRY_AGAIN_LATER = 1013;

/** Sends the failure in Nest's format and closes the socket. With socket.io, closes the connection with all its namespaces. */
export async function disconnect(socket: AnySocket, failure: XPayAuthError): Promise<void> {
  const { BaseWsExceptionFilter, WsException } = await loadWebSockets();
  const filter = new BaseWsExceptionFilter({ includeCause: false });
  filter.handleError(socket, new WsException(failureMessage(failure)), { pattern: '', data: undefined });
  if (socket.disconnect !== undefined) socket.disconnect(true);
  else socket.close?.(closeCodeOf(failure), failure.code);
}

/** Whether the socket is closing or closed. A listener that is added to a closed socket is never called. */
export function isDisconnected({ connected, readyState }: AnySocket): boolean {
  return connected === false || (readyState !== undefined && readyState >= CLOSING);
}

/** Calls `callback` when either side closes the socket. socket.io emits `disconnect`, and ws emits `close`. */
export function onDisconnect(socket: AnySocket, callback: () => void): void {
  socket.once?.(socket.disconnect === undefined ? 'close' : 'disconnect', callback);
}

function closeCodeOf({ code, trouble }: XPayAuthError): number {
  if (code === 'configuration') return INTERNAL_ERROR;
  return trouble === 'caller' && code !== 'too_many_attempts' ? POLICY_VIOLATION : TRY_AGAIN_LATER;
}
