import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Returns a port of loopback that is free at this moment, for programs that do not accept port 0. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
