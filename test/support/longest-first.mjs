import Sequencer from '@jest/test-sequencer';

/** The specs that take longest on a quiet machine. Most of the time they wait for processes and timers, so other specs run beside them. */
const LONGEST = [
  'test/chaos/chaos.e2e-spec.ts',
  'test/inbound/fair-queue.e2e-spec.ts',
  'test/browser/status.e2e-spec.ts',
  'test/cluster/failover.e2e-spec.ts',
  'test/reference-app/status.e2e-spec.ts',
  'test/browser/docs.e2e-spec.ts',
];

/**
 * Starts the longest specs first, so that no worker waits for one of them at the end. Other specs keep jest's own order, which
 * depends on the file size and the last duration. A fresh clone has no durations yet.
 */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}

function placeOf({ path }) {
  const place = LONGEST.findIndex((longest) => path.replaceAll('\\', '/').endsWith(longest));
  return place < 0 ? LONGEST.length : place;
}
