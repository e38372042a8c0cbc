/** A value for each app of this process. The app is found from a request that the app received. */
export class ByApp<T> {
  readonly #values = new WeakMap<object, T>();

  /** @param platformApp Express's `app` or Fastify's root instance. Nothing is kept for any other value */
  set(platformApp: unknown, value: T): void {
    if (isObject(platformApp)) this.#values.set(platformApp, value);
  }

  /**
   * Returns the value of the app that received this request, or `undefined` if the app is not known. Within a Fastify plugin,
   * `server` is an object that has the root instance in its prototype chain.
   */
  of(request: unknown): T | undefined {
    const { app, server } = (request ?? {}) as { app?: unknown; server?: unknown };
    for (const found of [app, server]) {
      for (let one: unknown = found; isObject(one); one = Object.getPrototypeOf(one)) {
        const value = this.#values.get(one);
        if (value !== undefined) return value;
      }
    }
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
