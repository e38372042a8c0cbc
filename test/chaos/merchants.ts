import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Merchant {
  readonly id: string;
  readonly username: string;
  secretKey: string;
}

/** Number of accounts that an instance keeps. There are more merchants, so accounts are evicted all the time. */
export const MAX_ACCOUNTS = 4;

export const MERCHANTS: readonly Merchant[] = Array.from({ length: 12 }, (_, i) => ({
  id: `shop-${i}`,
  username: `shop-${i}@example.test`,
  secretKey: `key-${i}-of-the-start`,
}));
/** A merchant with an account at the upstream, but with a wrong key in the vault. */
export const MISTAKEN: Merchant = { id: 'mistaken', username: 'mistaken@example.test', secretKey: 'right-key' };
/** An id without an account. */
export const UNKNOWN_ID = 'no-such-shop';

/** The place from which the apps read the credentials of merchants by id. */
export class Vault implements AsyncDisposable {
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Vault> {
    const server = createServer((request, response) => {
      const id = decodeURIComponent(request.url?.slice(1) ?? '');
      const found = [...MERCHANTS, { ...MISTAKEN, secretKey: 'wrong-key' }].find((merchant) => merchant.id === id);
      const { username, secretKey } = found ?? {};
      response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ username, secretKey }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Vault(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
