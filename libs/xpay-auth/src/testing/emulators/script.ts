import { fitsPath } from './path-pattern.js';

/** Which requests a scripted line is for. */
export interface ScriptScope {
  /** Path without query; a trailing `*` means everything below. @default every path */
  readonly path?: string;
  /** User name that the body submits as `username` or `email`, in JSON or urlencoded, in this very spelling. @default any, or none */
  readonly username?: string;
}

interface Line<T> {
  readonly item: T;
  readonly scope: ScriptScope;
  left: number;
}

/** What is to happen to coming requests: lines used up one per request, and lines that hold until cleared. */
export class Script<T> {
  #next: Line<T>[] = [];
  #always: Line<T>[] = [];

  /** For the next matching request, or the next `times` of them. Lines queue: each request uses up the oldest that fits. */
  next(item: T, options: ScriptScope & { readonly times?: number } = {}): void {
    this.#next.push({ item, scope: options, left: options.times ?? 1 });
  }

  /** For every matching request until `clear()`; several may hold at once. */
  always(item: T, options: ScriptScope = {}): void {
    this.#always.push({ item, scope: options, left: Infinity });
  }

  /** Forgets every line. */
  clear(): void {
    this.#next = [];
    this.#always = [];
  }

  /** How many requests the queued `next` lines still wait for. */
  get pending(): number {
    return this.#next.reduce((sum, line) => sum + line.left, 0);
  }

  /** What holds for this request: at most one queued line, which it uses up, before the lasting ones. */
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
