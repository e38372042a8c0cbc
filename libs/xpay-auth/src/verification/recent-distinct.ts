/** Whether so many different keys were added within a time. Keeps no more keys than that. */
export class RecentDistinct {
  /** When each key was added last, the oldest first. */
  readonly #addedAt = new Map<string, number>();

  /** @param windowMs the longest time between the first of these keys and the last */
  constructor(
    private readonly count: number,
    private readonly windowMs: number,
  ) {}

  /** Adds a key, and returns whether `count` different ones were added within `windowMs`. `now` never decreases. */
  add(key: string, now: number): boolean {
    this.#addedAt.delete(key);
    this.#addedAt.set(key, now);
    let [oldest] = this.#addedAt;
    if (oldest !== undefined && this.#addedAt.size > this.count) {
      this.#addedAt.delete(oldest[0]);
      [oldest] = this.#addedAt;
    }
    return oldest !== undefined && this.#addedAt.size === this.count && now - oldest[1] <= this.windowMs;
  }

  clear(): void {
    this.#addedAt.clear();
  }
}
