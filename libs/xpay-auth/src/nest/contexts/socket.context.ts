import { type RequestContext, withCause } from './request-context.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { loadWebSockets } from './packages.js';
import { handshakeOf } from './handshakes.js';
import { MessageKey } from './message-key.js';

/**
 * Messages to a WebSocket gateway, of socket.io and of ws. Each is judged anew by what its socket presented at the handshake:
 * within the period from memory, after it by asking the upstream.
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
      // The socket is gone. Nest does not wait for this: thrown on, it would end the process.
    }
  },
};
