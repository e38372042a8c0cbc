import Sequencer from '@jest/test-sequencer';

/** Hundreds of thousands of promises each: several times as long in a worker whose memory holds the specs before them. */
const FIRST = ['test/model/inbound.spec.ts', 'test/chaos/chaos.e2e-spec.ts', 'test/model/outbound.spec.ts'];

/** What takes long begins first; jest's own order, by size and by how long each took last time, for all the others. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ path }) {
  const rank = FIRST.findIndex((name) => path.replaceAll('\\', '/').endsWith(name));
  return rank === -1 ? FIRST.length : rank;
}
