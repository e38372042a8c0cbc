import type { XPayAuthError } from '../../core/errors.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { loadWebSockets } from './packages.js';

/** A socket of socket.io or of ws: what they have in common, and the ways in which they are closed. */
interface AnySocket {
  emit?(event: string, message: unknown): unknown;
  once?(event: string, listener: () => void): unknown;
  close?(code: number, reason: string): void;
  disconnect?(close: boolean): void;
}

/** RFC 6455 §7.4.1: the policy keeps you out; our own mistake. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
/** Registered with IANA since: come back later. */
const TRY_AGAIN_LATER = 1013;

/** Tells a socket why, as Nest tells of an exception, and closes it; one of socket.io with all of its namespaces. */
export async function hangUp(socket: AnySocket, failure: XPayAuthError): Promise<void> {
  const { BaseWsExceptionFilter, WsException } = await loadWebSockets();
  const filter = new BaseWsExceptionFilter({ includeCause: false });
  filter.handleError(socket, new WsException(failureMessage(failure)), { pattern: '', data: undefined });
  if (socket.disconnect !== undefined) socket.disconnect(true);
  else socket.close?.(closeCodeOf(failure), failure.code);
}

/** Calls back when the socket is closed, by whomever: socket.io says `disconnect`, ws says `close`. */
export function onHangUp(socket: AnySocket, callback: () => void): void {
  socket.once?.(socket.disconnect === undefined ? 'close' : 'disconnect', callback);
}

function closeCodeOf({ code, trouble }: XPayAuthError): number {
  if (code === 'configuration') return INTERNAL_ERROR;
  return trouble === 'caller' && code !== 'too_many_attempts' ? POLICY_VIOLATION : TRY_AGAIN_LATER;
}
