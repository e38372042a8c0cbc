import { LRUCache } from 'lru-cache';
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { IncomingRequest } from '../core/incoming-request.js';
import type { Store } from '../core/store.js';

/** The address of a connection if the operating system does not report the peer (the `unknown` of RFC 7239 §6.2). */
export const UNKNOWN_ADDRESS = 'unknown';

/**
 * The address by which failed attempts are counted. A connection whose peer is not known has the address `unknown`, so that its
 * attempts are counted too. `undefined` means that attempts are not counted by address.
 */
export interface ClientAddress {
  readonly address: string | undefined;
  /** Whether a proxy that the app does not trust hides the client's address. */
  readonly untrustedProxy: boolean;
}

/** Maximum number of private peers that are kept. Beyond the maximum, the least recently seen peers are evicted. */
const MOST_PEERS = 1_000;

/**
 * Finds the addresses of clients, for counting attempts. If a private peer sends a forwarding header with every request, the peer
 * is treated as a proxy that the app does not trust, and its address is not used. If a peer has ever sent a request without the
 * header, the peer is treated as a client from then on. Such a peer cannot disable the counting by sending the header later.
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

/** Returns the address, determined from this request only. */
export function addressOf(request: IncomingRequest): ClientAddress {
  // A message without a connection comes from a broker, or from a service that forwards the messages of many users.
  if (request.rpc !== undefined && request.socket === undefined) return { address: undefined, untrustedProxy: false };
  const peer = request.socket?.remoteAddress;
  const address = request.ip ?? peer;
  // Anyone can send the header, but only a proxy in the app's network sends it from a private address or a Unix socket. A trusted
  // proxy is excluded, because a client may have the same address as the proxy.
  const untrustedProxy =
    isForwarded(request) && address === peer && isFromOwnNetwork(request) && !isByTrustedProxy(request);
  return { address: untrustedProxy ? undefined : (address ?? UNKNOWN_ADDRESS), untrustedProxy };
}

/** Whether the request has a header of a proxy. */
function isForwarded({ headers }: IncomingRequest): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
}

/**
 * Whether the request comes from the app's network. A Unix socket has no peer address. A TCP connection that was reset has none
 * either, but is destroyed or still has a local address.
 */
function isFromOwnNetwork({ socket }: IncomingRequest): boolean {
  if (socket?.remoteAddress !== undefined) return isPrivate(socket.remoteAddress);
  return socket !== undefined && socket.localAddress === undefined && socket.destroyed !== true;
}

/** Whether the platform trusts the headers of this peer. */
function isByTrustedProxy({ ips = [], raw }: IncomingRequest): boolean {
  return ips.length > (raw === undefined ? 0 : 1);
}

/**
 * Networks for loopback, private use (RFC 1918, RFC 4193), link-local use (RFC 3927, RFC 4291), and shared address space of
 * carriers and clouds (RFC 6598).
 */
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

/**
 * Whether an address is private. An IPv4 address that is mapped into IPv6 counts as the IPv4 address (RFC 4291 §2.5.5.2), and a
 * zone id is ignored (RFC 4007 §11).
 */
function isPrivate(address: string): boolean {
  const [bare = ''] = address.split('%');
  return isIP(bare) !== 0 && PRIVATE.check(bare, isIP(bare) === 4 ? 'ipv4' : 'ipv6');
}

const WITH_PORT = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>\d{1,3}(?:\.\d{1,3}){3}))(?::\d+)?$/;
/**
 * Prefixes of 96 bits that precede an IPv4 address: IPv4-mapped addresses (RFC 4291 §2.5.5.2), and the addresses that a NAT64
 * translator gives to IPv4 clients (RFC 6052 §2.1). Without the second prefix, all IPv4 clients would count as one address.
 */
const BEFORE_IPV4 = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'];

/**
 * Returns the network by which an address is counted. This is the address itself for IPv4, also within an IPv6 address, and the
 * /64 network for IPv6, because a subscriber has at least a whole /64 network (RFC 6177). A port is removed, because some proxies
 * add the port, which differs for every connection.
 */
export function networkOf(address: string): string {
  const { v6, v4 } = WITH_PORT.exec(address)?.groups ?? {};
  const bare = (v6 ?? v4 ?? address).split('%')[0]?.toLowerCase() ?? '';
  if (!isIPv6(bare)) return bare;
  const groups = groupsOf(bare);
  return BEFORE_IPV4.includes(textOf(groups.slice(0, 6)))
    ? groups
        .slice(6)
        .flatMap((group) => [group >> 8, group & 255])
        .join('.')
    : `${textOf(groups.slice(0, 4))}::/64`;
}

/** Returns the eight groups of an IPv6 address in any notation (RFC 4291 §2.2). */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const [front, back] = [numbersOf(head), numbersOf(tail ?? '')];
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  return [...front, ...Array<number>(gap).fill(0), ...back];
}

/** Returns the numbers of the groups on one side of `::`. An IPv4 address in the place of two groups has two numbers. */
function numbersOf(side: string): number[] {
  const groups = side.split(':').filter(Boolean);
  return groups.flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function textOf(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}

/**
 * Maximum number of trusted pairs of user and address in this process. Beyond the maximum, the least recently used pairs are
 * evicted.
 */
const MOST_TRUSTED = 50_000;
/** The option `max` would allocate memory for all pairs at boot. */
const TRUSTED_BOUND = { maxSize: MOST_TRUSTED, sizeCalculation: () => 1 };
/** Ms for which an address is trusted for a user after the user was authenticated from the address: 30 days. */
const TRUSTED_MS = 30 * 86_400_000;
/**
 * Ms after which a further success is written to the store again. One day is much shorter than the lifetime of the entry in the
 * store.
 */
const REPUBLISH_AFTER_MS = 86_400_000;
/**
 * Ms for which a caller waits after the store has lost its data. Connected instances write their trusted addresses again in less
 * time.
 */
const WAIT_AFTER_LOSS_MS = 500;
/**
 * Ms after a loss of data during which an address that is missing in the store may still be trusted, because other instances may
 * have to reconnect before they write it.
 */
const UNKNOWN_AFTER_LOSS_MS = 3_000;
/**
 * Maximum number of trusted addresses that are written at the same time. With more simultaneous calls, calls of the store could
 * time out.
 */
const MOST_AT_ONCE = 16;

export interface TrustedAddressesParts {
  readonly clock: Clock;
  readonly store?: Store | undefined;
  /** Checks whether the store has lost its data. If so, calls {@link TrustedAddresses.storeLostData} before it resolves. */
  readonly checkStore?: (() => Promise<void>) | undefined;
}

/**
 * The trusted addresses of each user, from which the user was authenticated within the last 30 days. If there is a store, they
 * are shared through the store in the background.
 */
export class TrustedAddresses {
  /** Time of the last success of each pair of user and address on this instance, on the monotonic clock. */
  readonly #here = new LRUCache<string, number>(TRUSTED_BOUND);
  readonly #published = new LRUCache<string, number>(TRUSTED_BOUND);
  /** Time when the last loss of data was detected, on the monotonic clock. */
  #lostAt = -Infinity;

  constructor(private readonly parts: TrustedAddressesParts) {}

  add(key: string): void {
    const now = this.#now();
    this.#here.set(key, now);
    if (this.parts.store !== undefined && now - (this.#published.get(key) ?? -Infinity) >= REPUBLISH_AFTER_MS) {
      void this.#publish(key).catch(() => undefined);
    }
  }

  /**
   * Call this method when the store has lost its data. Returns a function that writes the trusted addresses to the store again.
   * If the function rejects, call it again later.
   */
  storeLostData(): () => Promise<void> {
    this.#published.clear();
    this.#lostAt = this.#now();
    return async () => {
      const missing = [...this.#here.keys()].filter((key) => !this.#published.has(key));
      for (let i = 0; i < missing.length; i += MOST_AT_ONCE) {
        await Promise.all(missing.slice(i, i + MOST_AT_ONCE).map((key) => this.#publish(key)));
      }
    };
  }

  /** Returns whether an address is trusted, or `undefined` if only the store knows. Never calls the store. */
  known(key: string | undefined): boolean | undefined {
    const trustedAt = key === undefined ? undefined : this.#here.get(key);
    if (trustedAt !== undefined) return this.#now() - trustedAt < TRUSTED_MS;
    return key === undefined || this.parts.store === undefined ? false : undefined;
  }

  /**
   * Returns whether an address is trusted. Returns `undefined` if the caller has to wait, because the store has just lost its
   * data and another instance may write this address again. Throws `store_unavailable` if the address is still missing after the
   * wait, or if only an unavailable store knows.
   */
  async has(key: string | undefined): Promise<boolean | undefined> {
    const known = this.known(key);
    const { store, checkStore } = this.parts;
    if (known !== undefined || key === undefined || store === undefined) return known ?? false;
    if ((await store.read({ kind: 'welcome', id: key })) !== undefined) return true;
    await checkStore?.();
    const sinceLossMs = this.#now() - this.#lostAt;
    if (sinceLossMs < WAIT_AFTER_LOSS_MS) return undefined;
    if (sinceLossMs >= UNKNOWN_AFTER_LOSS_MS) return false;
    const message =
      'The shared store has lost its data, and the other instances may not have written trusted addresses again';
    throw new XPayAuthError('store_unavailable', message, { retryAfterMs: 1_000 });
  }

  async #publish(key: string): Promise<void> {
    const now = this.#now();
    const lifeMs = TRUSTED_MS - (now - (this.#here.peek(key) ?? -Infinity));
    if (this.parts.store === undefined || lifeMs <= 0) return;
    this.#published.set(key, now);
    try {
      // The generations of one pair only have to increase from day to day.
      const generation = Math.floor(this.parts.clock.now());
      await this.parts.store.write({ kind: 'welcome', id: key }, { value: '', generation, lifeMs });
    } catch (failure) {
      this.#published.delete(key);
      throw failure;
    }
  }

  #now(): number {
    return this.parts.clock.monotonic();
  }
}
