import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Ports below the ranges from which operating systems take ports for outgoing connections and for port 0 (Linux: from 32,768). */
const [LOWEST, HIGHEST] = [20_000, 32_000];

/**
 * Returns a port of loopback that is free at this moment, for programs that do not accept port 0. Connections of other programs
 * cannot take the port before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
