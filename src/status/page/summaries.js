import { numberText } from './format.js';

/** Number of seconds that count as recent. */
const RECENT = 10;

const total = (samples, field) => samples.reduce((sum, sample) => sum + sample[field], 0);
export const mean = (samples, field) => {
  const known = samples.filter((sample) => sample[field] !== null);
  return known.length === 0 ? null : total(known, field) / known.length;
};
/** The sum of rates as a whole number, because a rate may have a fraction. */
export const count = (samples, field) => Math.round(total(samples, field));
export const longest = (samples) =>
  samples.reduce((max, { maxMs }) => (maxMs === null ? max : Math.max(max ?? 0, maxMs)), null);

/** Returns a sentence about the upstream in the last seconds. */
export function upstreamSentence(samples) {
  const recent = samples.slice(-RECENT);
  const [calls, failures] = [total(recent, 'calls'), total(recent, 'failures')];
  if (calls === 0) return `No requests in the last ${RECENT} s.`;
  const meanMs = mean(recent, 'meanMs');
  if (failures === 0)
    return `The upstream works. It answered in ${numberText(Math.round(meanMs))} ms on average in the last ${RECENT} s.`;
  return `The upstream fails: ${numberText(failures)} of ${numberText(calls)} requests in the last ${RECENT} s.`;
}
