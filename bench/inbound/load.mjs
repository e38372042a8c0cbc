// The load of the inbound table. It replaces autocannon, which opens new connections for each run. Here the connections stay open
// between slices, each request is a prepared buffer, and the CPU time of the server is read immediately before and after a slice.
import { once } from 'node:events';
import { connect } from 'node:net';
import { quantile } from '../figures/statistics.mjs';
import { answer } from '../machine/child.mjs';
import { cpuTimeOf } from '../machine/cpu-time.mjs';

const CONNECTIONS = 64;

const socketsOf = new Map();

answer(undefined, { open, slice });

/** Opens the connections of a row to its server. */
async function open({ id, url }) {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: CONNECTIONS }, () => connect({ host: hostname, port, noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket.setEncoding('latin1'), 'connect')));
  socketsOf.set(id, sockets);
}

/**
 * Sends requests over all connections for `ms`, one at a time on each, and waits for the last answers.
 *
 * @param authorizations one `Authorization` header for each caller
 * @param rotate whether each connection sends every request for the next caller, instead of all requests for one caller
 * @returns the CPU time that the server used, in total and per request, in µs, and the 99th percentile of the latencies in ms
 */
async function slice({ id, url, pid, authorizations, rotate, ms }) {
  const { host, pathname } = new URL(url);
  const requests = authorizations.map((authorization) =>
    Buffer.from(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\n\r\n`),
  );
  const step = rotate ? 1 : 0;
  const times = [];
  const before = cpuTimeOf(pid);
  const until = performance.now() + ms;
  await Promise.all(
    socketsOf.get(id).map((socket, at) => {
      let caller = at;
      const next = () => requests[(caller += step) % requests.length];
      return sendUntil(until, socket, next, times);
    }),
  );
  const used = cpuTimeOf(pid) - before;
  return { used, cpu: used / times.length, p99: quantile(Float64Array.from(times).toSorted(), 0.99) };
}

function sendUntil(until, socket, next, times) {
  return new Promise((resolve, reject) => {
    let received;
    let sentAt;
    const send = () => {
      received = '';
      sentAt = performance.now();
      socket.write(next());
    };
    const end = (settle) => {
      socket.off('data', onData).off('close', onClose);
      settle();
    };
    const onClose = () => end(() => reject(new Error('a connection was closed')));
    const onData = (chunk) => {
      received += chunk;
      if (!isComplete(received)) return;
      if (!received.startsWith('HTTP/1.1 200')) return end(() => reject(new Error(received)));
      const now = performance.now();
      times.push(now - sentAt);
      if (now < until) send();
      else end(resolve);
    };
    socket.on('data', onData).on('close', onClose);
    send();
  });
}

/** Whether an answer with a `Content-Length` has arrived. */
function isComplete(received) {
  const end = received.indexOf('\r\n\r\n');
  return end > 0 && received.length - end - 4 >= Number(/^content-length: (\d+)/im.exec(received)[1]);
}
