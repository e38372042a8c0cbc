import { LRUCache } from 'lru-cache';

/** Maximum number of names; the least recently used ones are dropped. */
const MAX_NAMES = 20_000;

/**
 * The newest generation that this process has seen under each name. An entry of an earlier one is refused: a copy that was
 * restored, or a replica that is behind. A process that has just started accepts any.
 */
export class SeenGenerations {
  readonly #newest = new LRUCache<string, number>({ max: MAX_NAMES });

  /** Whether no newer generation was seen. Records this one. */
  accepts(name: string, generation: number): boolean {
    if (generation < (this.#newest.get(name) ?? -Infinity)) return false;
    this.#newest.set(name, generation);
    return true;
  }

  /** Refuses this generation and all before it from now on. */
  end(name: string, generation: number): void {
    this.#newest.set(name, Math.max(generation + 0.5, this.#newest.get(name) ?? -Infinity));
  }
}
