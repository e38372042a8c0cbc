import type { ArgumentsHost } from '@nestjs/common';
import type { Principal } from '../../core/principal.js';
import type { Requirement } from '../marks/requirement.js';
import { type CallContext, withCause } from './call-context.js';
import { failureMessage } from './failure-message.js';
import { loadWebSockets } from './packages.js';
import { handshakeOf } from './handshakes.js';

/** Who was let in last on a socket, by the rule of the handler: a parameter is asked for right after its guards. */
const admitted = new WeakMap<object, Map<Requirement, Principal>>();

/**
 * Messages to a WebSocket gateway, of socket.io and of ws. Each is judged anew by what its socket presented at the handshake:
 * within the period from memory, after it by asking the upstream.
 */
export const socketContext: CallContext = {
  // The arguments are one array for all guards of a message, and no other message's.
  callOf: (host) => host.getArgs(),

  requestOf: (host) => handshakeOf(clientOf(host)),

  admit(host, requirement, principal) {
    const client = clientOf(host);
    const bySocket = admitted.get(client) ?? new Map<Requirement, Principal>();
    admitted.set(client, bySocket.set(requirement, principal));
  },

  callerOf: (host, requirement) => admitted.get(clientOf(host))?.get(requirement),

  async exceptionOf(failure) {
    const { WsException } = await loadWebSockets();
    return withCause(new WsException(failureMessage(failure)), failure);
  },

  async answer(exception, host) {
    try {
      const { BaseWsExceptionFilter } = await loadWebSockets();
      new BaseWsExceptionFilter().catch(await exception, host);
    } catch {
      // The socket is gone. Nest does not wait for this: thrown on, it would end the process.
    }
  },
};

function clientOf(host: ArgumentsHost): object {
  return host.switchToWs().getClient<object>();
}
