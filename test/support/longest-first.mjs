import Sequencer from '@jest/test-sequencer';

/**
 * These create hundreds of thousands of promises each, and take several times as long in a worker whose memory holds
 * earlier specs.
 */
const FIRST = ['test/model/inbound.spec.ts', 'test/chaos/chaos.e2e-spec.ts', 'test/model/outbound.spec.ts'];

/** Starts the slow specs first. All others keep jest's own order, by size and by their last duration. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ path }) {
  const rank = FIRST.findIndex((name) => path.replaceAll('\\', '/').endsWith(name));
  return rank === -1 ? FIRST.length : rank;
}
