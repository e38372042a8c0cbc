import Sequencer from '@jest/test-sequencer';

/**
 * Specs that create hundreds of thousands of promises each. They take several times as long in a worker whose memory still
 * contains earlier specs.
 */
const FIRST = ['test/model/inbound.spec.ts', 'test/chaos/chaos.e2e-spec.ts', 'test/model/outbound.spec.ts'];

/** Starts the slow specs first. All other specs keep jest's own order, by file size and by their last duration. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ path }) {
  const rank = FIRST.findIndex((name) => path.replaceAll('\\', '/').endsWith(name));
  return rank === -1 ? FIRST.length : rank;
}
