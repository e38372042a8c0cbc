import { LRUCache } from 'lru-cache';

/** So many names are watched; the least recently used make room. */
const MOST_NAMES = 20_000;

/**
 * The newest generation that this process has seen under each name. What an earlier one brings back, be it a copy that
 * somebody kept or a replica that lagged behind, is refused. A process that has just begun cannot know.
 */
export class SeenGenerations {
  readonly #newest = new LRUCache<string, number>({ max: MOST_NAMES });

  /** Whether this is no step back. Remembers it. */
  accepts(name: string, generation: number): boolean {
    if (generation < (this.#newest.get(name) ?? -Infinity)) return false;
    this.#newest.set(name, generation);
    return true;
  }

  /** This generation and all before it are over. */
  end(name: string, generation: number): void {
    this.#newest.set(name, Math.max(generation + 0.5, this.#newest.get(name) ?? -Infinity));
  }
}
