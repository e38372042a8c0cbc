// The load client: one warm process on a separate core for a whole run.
import autocannon from 'autocannon';
import { answer } from './child.mjs';
import { quantile } from '../figures/statistics.mjs';

/** Answers in the first part of a run are not counted, because connections are still being opened. */
const SETTLE_MS = 80;

/** The step from one caller to the next. It shares no factor with a round number of callers, so every caller is used. */
const STRIDE = 7_919;

answer(undefined, { run });

/**
 * Sends requests at full speed for a time, over keep-alive connections without pipelining.
 *
 * @returns the number of answers, and requests/s and latencies in ms after settling
 */
async function run({ url, headers, seconds, connections = 64, callers }) {
  const times = [];
  const wrong = new Map();
  let startedAt;
  let answers = 0;
  let last = 0;
  await new Promise((resolve, reject) => {
    const requests = callers === undefined ? undefined : [{ setupRequest: rotating(callers, headers) }];
    const options = { url, headers, connections, duration: seconds + SETTLE_MS / 1_000, sampleInt: 20, requests };
    const instance = autocannon({ ...options, excludeErrorStats: true }, (error, result) => {
      if (error) reject(error);
      else if (result.errors > 0) reject(new Error(`${result.errors} connections to ${url} failed`));
      else resolve();
    });
    const openedAt = performance.now();
    instance.on('response', (_client, status, _bytes, tookMs) => {
      answers++;
      if (status !== 200) wrong.set(status, (wrong.get(status) ?? 0) + 1);
      const now = performance.now();
      if (now - openedAt < SETTLE_MS) return;
      startedAt ??= now;
      last = now;
      times.push(tookMs);
    });
  });
  if (wrong.size > 0) throw new Error(`${url} answered ${[...wrong].map(([s, n]) => `${n} × ${s}`).join(', ')}`);
  const sorted = Float64Array.from(times).toSorted();
  return {
    answers,
    perSecond: (times.length * 1_000) / (last - startedAt),
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
  };
}

/**
 * Sends each request for another one of `count` callers. Consecutive requests are not for neighbouring callers. If there are
 * `regulars`, every second request is for one of them.
 */
function rotating({ count, prefix, secretKey, regulars }, headers) {
  let request = 0;
  const next = () => {
    request++;
    if (regulars !== undefined && request % 2 === 0) return `regular-${request % regulars}`;
    return `${prefix}${(request * STRIDE) % count}`;
  };
  return (about) => {
    const authorization = `Basic ${Buffer.from(`${next()}@example.test:${secretKey}`).toString('base64')}`;
    return { ...about, headers: { ...headers, authorization } };
  };
}
