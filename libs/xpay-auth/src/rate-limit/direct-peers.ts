import { LRUCache } from 'lru-cache';

/** So many peers are remembered; the least recently seen make room. */
const MOST_PEERS = 1_000;

/** Peers that presented credentials without anybody's having passed them on: clients, not proxies. */
export class KnownClients {
  readonly #seen = new LRUCache<string, true>({ max: MOST_PEERS });

  add(peer: string): void {
    this.#seen.set(peer, true);
  }

  has(peer: string): boolean {
    return this.#seen.get(peer) === true;
  }
}
