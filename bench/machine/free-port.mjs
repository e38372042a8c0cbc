import { createServer } from 'node:net';

/** Returns a free port, for programs that cannot choose one themselves. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
