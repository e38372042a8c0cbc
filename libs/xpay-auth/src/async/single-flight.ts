/** At most one run per key at a time: concurrent callers share its result or failure. Nothing is kept once it has settled. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** @param joined called for each caller who joins a run in progress */
  constructor(private readonly joined?: () => void) {}

  /** Joins the run of this key, or starts one. */
  run(key: string, fly: () => Promise<T>): Promise<T> {
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) {
      this.joined?.();
      return underWay;
    }
    const flight = Promise.resolve()
      .then(fly)
      .finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whether a run of this key is in progress. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }
}
