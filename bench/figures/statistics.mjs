// Statistics of repeated measurements.

export function median(values) {
  return quantile(Float64Array.from(values).toSorted(), 0.5);
}

/** Returns a quantile of values in ascending order, interpolated between the two nearest values. */
export function quantile(sorted, share) {
  if (sorted.length === 0) return NaN;
  const at = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

/** Returns the median and the extremes of values. */
export function spread(values) {
  const sorted = Float64Array.from(values).toSorted();
  return { median: quantile(sorted, 0.5), min: sorted[0], max: sorted.at(-1), of: sorted.length };
}
