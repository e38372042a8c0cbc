import type { Clock, Store } from 'nestjs-xpay-auth';

/** All connections of one instance to other systems. When its process dies, nothing passes any more. */
export class ProcessGate {
  #dead = false;

  get isDead(): boolean {
    return this.#dead;
  }

  die(): void {
    this.#dead = true;
  }

  clock(world: Clock): Clock {
    return {
      now: () => world.now(),
      monotonic: () => world.monotonic(),
      setTimer: (callback, delayMs) => world.setTimer(() => this.#alive(callback), delayMs),
    };
  }

  store(world: Store): Store {
    return new Proxy(world, {
      get: (target, name) => {
        const member = target[name as keyof Store];
        if (typeof member !== 'function') return member;
        // A dead process has sent its call and receives no response.
        const through = (...given: unknown[]): unknown =>
          this.#dead
            ? new Promise(() => undefined)
            : Reflect.apply(
                member,
                target,
                given.map((one) => this.#gated(one)),
              );
        return through;
      },
    });
  }

  #gated(given: unknown): unknown {
    if (typeof given !== 'function') return given;
    return (...heard: unknown[]): void => this.#alive(() => Reflect.apply(given, undefined, heard) as unknown);
  }

  #alive(action: () => unknown): void {
    if (!this.#dead) action();
  }
}
