// Sends one request for each of many callers, all at the same time, on connections that are already open.
import { once } from 'node:events';
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { quantile } from '../figures/statistics.mjs';
import { answer } from '../machine/child.mjs';

/** Number of connections that are opened at the same time, because a server refuses more than its backlog. */
const OPENED_AT_ONCE = 100;

answer(undefined, { come });

async function come({ url, count, addresses }) {
  const sockets = await opened(url, count);
  const answers = await Promise.all(
    sockets.map(async (socket, i) => {
      const secret = Buffer.from(`caller-${i}@example.test:a-key-of-24-bytes-length`).toString('base64');
      const address = `198.51.100.${(i % addresses) + 1}`;
      const headers = { authorization: `Basic ${secret}`, 'x-forwarded-for': address };
      const startedAt = performance.now();
      const [response] = await once(send(url, { createConnection: () => socket, headers }).end(), 'response');
      response.resume();
      await once(response, 'end');
      return { status: response.statusCode, ms: performance.now() - startedAt };
    }),
  );
  for (const socket of sockets) socket.destroy();
  const times = Float64Array.from(answers, ({ ms }) => ms).toSorted();
  const refused = answers.filter(({ status }) => status !== 200).length;
  return { refused, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function opened(url, count) {
  const { hostname, port } = new URL(url);
  const sockets = [];
  while (sockets.length < count) {
    const more = Array.from({ length: Math.min(OPENED_AT_ONCE, count - sockets.length) }, () =>
      connect(port, hostname),
    );
    await Promise.all(more.map((socket) => once(socket, 'connect')));
    sockets.push(...more);
  }
  return sockets;
}
