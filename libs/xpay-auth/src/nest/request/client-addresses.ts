import { LRUCache } from 'lru-cache';
import { BlockList, isIP } from 'node:net';
import { UNKNOWN_ADDRESS } from '../../rate-limit/counted-by.js';
import type { IncomingRequest } from './incoming-request.js';

/**
 * The address to count failed attempts by. A connection whose peer cannot be named has the address `unknown`, so that it is
 * counted; `undefined` means that attempts are not counted by address.
 */
export interface ClientAddress {
  readonly address: string | undefined;
  /** A proxy that the app does not trust hides the client's address. */
  readonly untrustedProxy: boolean;
}

/** Private peers that are kept at once; the least recently seen make room. */
const MOST_PEERS = 1_000;

/**
 * Clients' addresses, for counting attempts. A private peer that forwards every request is a proxy the app does not trust, so
 * its address is not the client's. One that ever presented credentials of its own is a client, and stays countable: sending
 * the header does not switch the counting off.
 */
export class ClientAddresses {
  readonly #clients = new LRUCache<string, true>({ max: MOST_PEERS });

  of(request: IncomingRequest): ClientAddress {
    const found = addressOf(request);
    const peer = request.socket?.remoteAddress;
    // Only private peers are tracked; public addresses would evict them.
    if (peer === undefined || !isPrivate(peer)) return found;
    if (!isForwarded(request)) this.#clients.set(peer, true);
    else if (found.untrustedProxy && this.#clients.get(peer) === true) return { address: peer, untrustedProxy: false };
    return found;
  }
}

/** Judged by this request alone. */
export function addressOf(request: IncomingRequest): ClientAddress {
  // A message without a connection: the peer is a broker, or a service that passes on the messages of many users.
  if (request.rpc !== undefined && request.socket === undefined) return { address: undefined, untrustedProxy: false };
  const peer = request.socket?.remoteAddress;
  const address = request.ip ?? peer;
  // Anyone may send the header, but only a proxy of the app's own network sends it from a private address or a Unix socket.
  // A trusted one may have a client at its own address.
  const untrustedProxy =
    isForwarded(request) && address === peer && isFromOwnNetwork(request) && !isByTrustedProxy(request);
  return { address: untrustedProxy ? undefined : (address ?? UNKNOWN_ADDRESS), untrustedProxy };
}

/** The request has a header that says so. */
function isForwarded({ headers }: IncomingRequest): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
}

/** A TCP connection that was reset has no peer either, but then it is destroyed, or still has an address of its own. */
function isFromOwnNetwork({ socket }: IncomingRequest): boolean {
  if (socket?.remoteAddress !== undefined) return isPrivate(socket.remoteAddress);
  return socket !== undefined && socket.localAddress === undefined && socket.destroyed !== true;
}

/** Whether the platform believes what the peer says of others. */
function isByTrustedProxy({ ips = [], raw }: IncomingRequest): boolean {
  return ips.length > (raw === undefined ? 0 : 1);
}

/** Loopback, private (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291), and shared by carriers and clouds (RFC 6598). */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, prefix, isIP(network) === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv4 address mapped into IPv6 is judged as itself (RFC 4291 §2.5.5.2), and a zone id is left out (RFC 4007 §11). */
function isPrivate(address: string): boolean {
  const [bare = ''] = address.split('%');
  return isIP(bare) !== 0 && PRIVATE.check(bare, isIP(bare) === 4 ? 'ipv4' : 'ipv6');
}
