/** The requests that an entry of a script is for. */
export interface ScriptScope {
  /** Path without query; a trailing `*` means everything below. @default every path */
  readonly path?: string;
  /**
   * The user name that the body submits as `username` or `email`, in JSON or urlencoded, in exactly this spelling. @default
   * any, or none
   */
  readonly username?: string;
}

interface Line<T> {
  readonly item: T;
  readonly scope: ScriptScope;
  left: number;
}

/** Entries for future requests: those of `next` apply to one request each, those of `always` until `clear`. */
export class Script<T> {
  #next: Line<T>[] = [];
  #always: Line<T>[] = [];

  /** Adds an entry for the next matching request, or the next `times` requests. Each request uses the oldest matching entry. */
  next(item: T, options: ScriptScope & { readonly times?: number } = {}): void {
    this.#next.push({ item, scope: options, left: options.times ?? 1 });
  }

  /** Adds an entry for every matching request until `clear()`. Several such entries can apply to one request. */
  always(item: T, options: ScriptScope = {}): void {
    this.#always.push({ item, scope: options, left: Infinity });
  }

  /** Deletes all entries. */
  clear(): void {
    this.#next = [];
    this.#always = [];
  }

  /** The number of requests that the entries of `next` still wait for. */
  get pending(): number {
    return this.#next.reduce((sum, line) => sum + line.left, 0);
  }

  /** The items for this request: at most one of `next`, which it uses up, then those of `always`. */
  take(path: string, username?: string): T[] {
    const fits = ({ scope }: Line<T>): boolean =>
      fitsPath(scope.path, path) && (scope.username === undefined || scope.username === username);
    const taken = this.#always.filter(fits).map((line) => line.item);
    const queued = this.#next.find((line) => line.left > 0 && fits(line));
    if (queued === undefined) return taken;
    queued.left -= 1;
    if (queued.left <= 0) this.#next = this.#next.filter((line) => line !== queued);
    return [queued.item, ...taken];
  }
}

/** Whether a path without query matches a pattern. `undefined` matches every path, a trailing `*` every path below. */
export function fitsPath(pattern: string | undefined, path: string): boolean {
  if (pattern === undefined) return true;
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
