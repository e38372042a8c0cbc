import { TestEnvironment } from 'jest-environment-node';
import hooks from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** The instances that the current spec and its copy of jest-circus have created. */
const instances = new Set();

class RecordedStorage extends hooks.AsyncLocalStorage {
  constructor(...options) {
    super(...options);
    instances.add(this);
  }
}
// Node 26 has only a getter for this property.
Object.defineProperty(hooks, 'AsyncLocalStorage', { value: RecordedStorage });

/** Ms after which a spec fails because of a socket or timer that it has not closed. */
const CLOSED_WITHIN_MS = 60_000;

/** Environment of Node.js that leaves nothing of a spec in the worker process. */
export default class SpecEnvironment extends TestEnvironment {
  #openBefore = openResources();
  #hasFailed = false;

  /** Called by jest-circus. */
  handleTestEvent({ name, test }) {
    if (name === 'test_done' && test.errors.length > 0) this.#hasFailed = true;
  }

  /**
   * Waits until the sockets, servers and timers of the spec are closed. A worker with an open resource cannot exit. Does not wait
   * after a failed test, because an error of this method would replace the error of the test.
   *
   * Disables each `AsyncLocalStorage` of the spec. jest-circus creates one for each spec and never disables it. Before Node
   * 24, every new promise visits each enabled instance, so a worker would slow down with every spec that it runs.
   */
  async teardown() {
    try {
      if (!this.#hasFailed) await this.#allClosed();
    } finally {
      for (const instance of instances) instance.disable();
      instances.clear();
      await super.teardown();
    }
  }

  async #allClosed() {
    const deadline = performance.now() + CLOSED_WITHIN_MS;
    for (let open = this.#opened(); open.length > 0; open = this.#opened()) {
      if (performance.now() > deadline) throw new Error(`The spec does not close: ${open.join(', ')}`);
      await sleep(5);
    }
  }

  /** The types of the resources that are open now and were not open before the spec. */
  #opened() {
    const before = [...this.#openBefore];
    return openResources().filter((type) => {
      const at = before.indexOf(type);
      if (at >= 0) before.splice(at, 1);
      return at < 0;
    });
  }
}

/** The types of all resources that keep this process alive, except the standard streams, which open on first use. */
function openResources() {
  return process.getActiveResourcesInfo().filter((type) => type !== 'PipeWrap' && type !== 'TTYWrap');
}
