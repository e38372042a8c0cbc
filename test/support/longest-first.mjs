import Sequencer from '@jest/test-sequencer';

/** Takes more than a minute, mostly without using the CPU, so the other specs run beside it. */
const FIRST = 'test/chaos/chaos.e2e-spec.ts';

/** Starts the longest spec first. All other specs keep jest's own order, by file size and by their last duration. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => Number(isFirst(other)) - Number(isFirst(one)));
  }
}

function isFirst({ path }) {
  return path.replaceAll('\\', '/').endsWith(FIRST);
}
