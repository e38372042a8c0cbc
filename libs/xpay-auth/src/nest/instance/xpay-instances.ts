import { Injectable } from '@nestjs/common';
import { configurationError } from '../../core/errors.js';
import type { XPayInstance } from './instance.js';
import { DEFAULT_INSTANCE } from '../options/resolve-options.js';

/** The instances of one app, by name. Each app has a separate registry, so two apps in one process share no instance. */
@Injectable()
export class XPayInstances {
  readonly #byName = new Map<string, XPayInstance>();
  readonly #listeners: ((instance: XPayInstance) => void)[] = [];

  /** Throws `configuration` for a second instance of one name, or a second one with `globalGuards`. */
  add(instance: XPayInstance): void {
    const { name, globalGuards } = instance.options;
    if (this.#byName.has(name)) {
      const which = name === DEFAULT_INSTANCE ? 'unnamed instances' : `instances named "${name}"`;
      throw configurationError(`XPayAuthModule option name: two ${which}. Give each another name.`);
    }
    const other = [...this.#byName.values()].find(({ options }) => options.globalGuards);
    if (globalGuards && other !== undefined) {
      throw configurationError(
        `XPayAuthModule option globalGuards: the instances "${other.options.name}" and "${name}" both set it. Keep one.`,
      );
    }
    this.#byName.set(name, instance);
    for (const listener of this.#listeners) listener(instance);
  }

  /** Calls the listener for every existing and future instance, because Nest creates the instances in any order. */
  onEach(listener: (instance: XPayInstance) => void): void {
    this.all().forEach(listener);
    this.#listeners.push(listener);
  }

  /** Throws `configuration` if no instance has that name. The message starts with `place`. */
  get(name: string = DEFAULT_INSTANCE, place = ''): XPayInstance {
    const instance = this.#byName.get(name);
    if (instance !== undefined) return instance;
    const known = [...this.#byName.keys()].join(', ') || 'none';
    throw configurationError(
      name === DEFAULT_INSTANCE
        ? `${place}No unnamed XPayAuthModule is imported (there is: ${known}). Import one, or say which with @UseXPay(name).`
        : `${place}No XPayAuthModule named "${name}" is imported (there is: ${known}).`,
    );
  }

  /** Returns the instance for a failure that does not name one: the only instance, or the unnamed one. */
  answering(): XPayInstance | undefined {
    const [first, ...others] = this.#byName.values();
    return others.length === 0 ? first : this.#byName.get(DEFAULT_INSTANCE);
  }

  all(): readonly XPayInstance[] {
    return [...this.#byName.values()];
  }
}
