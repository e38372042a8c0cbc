import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { USERS } from './stage.js';

/** Address of the client, so that its attempts do not use up the budget of another client. */
const ADDRESS = '203.0.113.77';

/**
 * A client that resets every connection before the response: at once, or a few milliseconds after the request. It sends to
 * nginx and to the instances, with correct and with wrong credentials. No response is judged; every other client must be
 * served as without it.
 */
export class ResettingClient {
  /** Number of connections that were reset. */
  resets = 0;
  readonly #stop = new AbortController();

  constructor(
    private readonly ports: readonly number[],
    private readonly keyOf: (username: string) => string,
  ) {}

  async run(): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const port = this.ports[turn % this.ports.length] ?? 0;
      const { username } = USERS[turn % USERS.length] ?? { username: '' };
      const secretKey = turn % 3 === 0 ? `guess ${turn}` : this.keyOf(username);
      await this.#reset(port, `${username}:${secretKey}`, turn % 7);
      await sleep(20);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #reset(port: number, credentials: string, afterMs: number): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1' });
    // An instance may be away, or closes the connection first.
    socket.on('error', () => undefined);
    const closed = once(socket, 'close').catch(() => undefined);
    socket.once('connect', () => {
      socket.write(
        `GET /user/report HTTP/1.1\r\nHost: localhost\r\nX-Client-Address: ${ADDRESS}\r\nX-Forwarded-For: ${ADDRESS}\r\n` +
          `Authorization: Basic ${Buffer.from(credentials).toString('base64')}\r\n\r\n`,
        () => setTimeout(() => socket.resetAndDestroy(), afterMs),
      );
      this.resets++;
    });
    await closed;
  }
}
