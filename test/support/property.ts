import { jest } from '@jest/globals';
import fc from 'fast-check';

const runs = Number(process.env['FUZZ_RUNS'] ?? 300);

// The time limit grows with the number of inputs.
jest.setTimeout(120_000 + 50 * runs);

/**
 * Checks a property with `FUZZ_RUNS` inputs (300 by default, times `share`). A failure shows its seed, its path and the
 * smallest input that fails.
 */
export function holds<Inputs>(property: fc.IProperty<Inputs>, share = 1): void {
  fc.assert(property, parameters(share));
}

/** Like {@link holds}, for a property with promises. */
export function holdsInTime<Inputs>(property: fc.IAsyncProperty<Inputs>, share = 1): Promise<void> {
  return fc.assert(property, parameters(share));
}

function parameters(share: number): { numRuns: number } {
  return { numRuns: Math.ceil(runs * share) };
}
