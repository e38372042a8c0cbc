/**
 * Tests whether one set of samples tends to be larger than another (Mann–Whitney U with ties, normal approximation).
 * `share`: the fraction of pairs in which the sample of `ones` is larger than that of `others`; 0.5 means no
 * difference. `p`: the probability that chance alone moves the share at least as far from 0.5.
 */
export function rankTest(ones, others) {
  const all = [...ones.map((value) => ({ value, one: true })), ...others.map((value) => ({ value, one: false }))];
  all.sort((a, b) => a.value - b.value);
  let [rankSum, tieTerm] = [0, 0];
  for (let from = 0; from < all.length;) {
    let to = from;
    while (to < all.length && all[to].value === all[from].value) to++;
    const rank = (from + 1 + to) / 2;
    for (let at = from; at < to; at++) if (all[at].one) rankSum += rank;
    tieTerm += (to - from) ** 3 - (to - from);
    from = to;
  }
  const [n, m] = [ones.length, others.length];
  const u = rankSum - (n * (n + 1)) / 2;
  const spread = Math.sqrt(((n * m) / 12) * (n + m + 1 - tieTerm / ((n + m) * (n + m - 1))));
  const z = (u - (n * m) / 2) / spread;
  return { share: u / (n * m), z, p: 2 * (1 - normal(Math.abs(z))) };
}

/** Returns the smallest shift of `ones`, in steps, that the test would have detected at this level. */
export function noticeable(ones, others, level, step) {
  for (let shift = step; ; shift += step) {
    const shifted = ones.map((value) => value + shift);
    if (rankTest(shifted, others).p < level) return shift;
  }
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** The standard normal distribution function (Abramowitz and Stegun, 7.1.26). */
function normal(x) {
  const t = 1 / (1 + (0.3275911 * x) / Math.SQRT2);
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return (1 + 1 - tail * Math.exp((-x * x) / 2)) / 2;
}
