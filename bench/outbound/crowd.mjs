// Measures concurrent callers without a token, then with an expired token: `crowd.mjs <peer> <endpoint> <callers>`.
import { answer } from '../machine/child.mjs';
import { PEERS } from './peers.mjs';

const [peer, endpoint, callers] = process.argv.slice(2);
const HOURS_FORWARD_MS = 2 * 3_600_000;
const { get, forward } = await PEERS[peer].create(endpoint, { movable: true });

answer(undefined, { come, age });

async function come() {
  const outcomes = await Promise.allSettled(Array.from({ length: Number(callers) }, () => get()));
  const failed = outcomes.filter(({ status }) => status === 'rejected');
  return { failed: failed.length, why: failed[0] && String(failed[0].reason?.message ?? failed[0].reason) };
}

/** Moves the clocks past the end of the token's lifetime. Does not change Node's timers. */
function age() {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length === 0 ? [RealDate.now() + HOURS_FORWARD_MS] : parts));
    }
    static now() {
      return RealDate.now() + HOURS_FORWARD_MS;
    }
  };
  forward?.(HOURS_FORWARD_MS);
}
