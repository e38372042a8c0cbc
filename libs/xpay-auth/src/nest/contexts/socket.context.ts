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
