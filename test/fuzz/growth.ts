import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The time that `work` takes at its best. */
function bestOf(times: number, work: () => void): number {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    work();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

/** The default of `http.maxResponseBytes` is four times that: nothing longer is ever read. */
const LARGEST = 256_000;
/** Below so many ms there is nothing to measure. */
const MEASURABLE_MS = 0.3;
const TIMES_LARGER = 4;

/**
 * How much longer an input takes that is four times as long: about 4 where the work grows with the length, 16 where it grows
 * with its square, 1 where all beyond some length is refused unseen. Compares the machine with itself alone; the lengths are
 * chosen so that there is something to measure.
 */
export function growthOf(input: (length: number) => string, parse: (text: string) => unknown): number {
  const quietly = (text: string) => (): void => {
    try {
      parse(text);
    } catch {
      // A refusal costs time like anything else.
    }
  };
  let length = 1_000;
  while (length < LARGEST && bestOf(2, quietly(input(length))) < MEASURABLE_MS) length *= 2;
  const small = bestOf(5, quietly(input(length)));
  const large = bestOf(5, quietly(input(length * TIMES_LARGER)));
  return large / Math.max(small, MEASURABLE_MS);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Bytes by which the heap has grown over the second half of so much work; the first half may fill what is bounded. */
export async function heapGrowth(work: (at: number) => unknown, times: number): Promise<number> {
  for (let at = 0; at < times; at++) await work(at);
  const before = heapUsed();
  for (let at = times; at < 2 * times; at++) await work(at);
  return heapUsed() - before;
}
