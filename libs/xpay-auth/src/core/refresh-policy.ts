/** A range of waiting times in ms. */
export interface Range {
  /** Ms of the shortest wait, at least 1. */
  readonly min: number;
  /** Ms of the longest wait, at least `min`. */
  readonly max: number;
}

/**
 * Returns the share of a token's lifetime, within `[from, to]`, after which this instance renews it. The same seed always
 * gives the same share, and different instances get different ones, so they do not all renew at once.
 */
export function refreshShare(range: readonly [number, number], seed: string): number {
  let mixed = 2_166_136_261;
  for (let i = 0; i < seed.length; i++) mixed = Math.imul(mixed ^ seed.charCodeAt(i), 16_777_619) >>> 0;
  // One more round of mixing spreads consecutive process ids.
  mixed = Math.imul(mixed ^ (mixed >>> 15), 2_246_822_519) >>> 0;
  mixed = (mixed ^ (mixed >>> 13)) >>> 0;
  return range[0] + (range[1] - range[0]) * (mixed / 2 ** 32);
}
