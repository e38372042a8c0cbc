import { KnownClients } from '../../rate-limit/direct-peers.js';
import { type ClientAddress, type IncomingRequest, addressOf, isForwarded, isPrivate } from './incoming-request.js';

/**
 * Clients' addresses, for counting attempts. A peer of the house that forwards every request is a proxy the app does not
 * trust, and its address says nothing. One that ever presented credentials of its own is a client, and stays countable:
 * sending the header does not switch the counting off.
 */
export class ClientAddresses {
  readonly #clients = new KnownClients();

  of(request: IncomingRequest): ClientAddress {
    const found = addressOf(request);
    const peer = request.socket?.remoteAddress;
    // Strangers are not kept: they would crowd out the peers of the house, whom alone the header concerns.
    if (peer === undefined || !isPrivate(peer)) return found;
    if (!isForwarded(request)) this.#clients.add(peer);
    else if (found.untrustedProxy && this.#clients.has(peer)) return { address: peer, untrustedProxy: false };
    return found;
  }
}
