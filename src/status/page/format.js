const clock = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat([], { year: 'numeric', month: 'short', day: 'numeric' });
const number = new Intl.NumberFormat([], { maximumFractionDigits: 1 });

/** A time of today, or the date of a time that is more than a day away. */
export function timeText(at) {
  return Math.abs(at - Date.now()) > 86_400_000 ? day.format(at) : clock.format(at);
}

export const clockText = (at) => clock.format(at);

/** A duration in the largest unit in which it is at least 2. */
export function durationText(ms) {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${number.format(Math.round(seconds / 86_400))} days`;
}

/** A count or a rate; `–` without a value. */
export function numberText(value) {
  return value === null || value === undefined ? '–' : number.format(value >= 100 ? Math.round(value) : value);
}
