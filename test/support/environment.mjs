import { TestEnvironment } from 'jest-environment-node';
import hooks from 'node:async_hooks';

/** The instances that the current spec and its copy of jest-circus have created. */
const instances = new Set();

hooks.AsyncLocalStorage = class extends hooks.AsyncLocalStorage {
  constructor(...options) {
    super(...options);
    instances.add(this);
  }
};

/**
 * Environment of Node.js that disables each `AsyncLocalStorage` of a spec when the spec ends. jest-circus creates one for each
 * spec and never disables it. Before Node 24, each enabled instance is copied to every new promise, so a worker would slow down
 * with every spec that it runs.
 */
export default class SpecEnvironment extends TestEnvironment {
  async teardown() {
    for (const instance of instances) instance.disable();
    instances.clear();
    await super.teardown();
  }
}
