import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** CPU time of `work` in ms. Unlike elapsed time, it does not count the work of other processes. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Four times this length is the default of `http.maxResponseBytes`. Longer inputs are never parsed. */
const LARGEST = 256_000;
/** Shorter times in ms are too short to measure. */
const MEASURABLE_MS = 0.3;
const TIMES_LARGER = 4;

/**
 * Returns the factor by which an input of four times the length takes longer: about 4 for linear work, 16 for quadratic
 * work, 1 if inputs beyond some length are rejected unread. Only compares the machine with itself. The lengths are
 * chosen so that the times can be measured.
 */
export function growthOf(input: (length: number) => string, parse: (text: string) => unknown): number {
  const quietly = (text: string) => (): void => {
    try {
      parse(text);
    } catch {
      // A rejection takes time, too.
    }
  };
  let length = 1_000;
  const best = (texts: readonly string[], times: number): number[] => {
    const rounds = Array.from({ length: times }, () => texts.map((text) => cpuMs(quietly(text))));
    return texts.map((_, at) => Math.min(...rounds.map((round) => round[at] ?? Infinity)));
  };
  while (length < LARGEST && (best([input(length)], 2)[0] ?? 0) < MEASURABLE_MS) length *= 2;
  // In turn, so that a busy machine slows down both.
  const [small = 0, large = 0] = best([input(length), input(length * TIMES_LARGER)], 5);
  return large / Math.max(small, MEASURABLE_MS);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Bytes by which the heap has grown over the second half of the runs. The first half may fill bounded caches. */
export async function heapGrowth(work: (at: number) => unknown, times: number): Promise<number> {
  for (let at = 0; at < times; at++) await work(at);
  const before = heapUsed();
  for (let at = times; at < 2 * times; at++) await work(at);
  return heapUsed() - before;
}
