import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Sailor {
  readonly username: string;
  readonly secretKey: string;
  /** For example `north,south`. */
  readonly piers: string;
}

export interface StandIn {
  readonly url: string;
  revokeTokens(): void;
  stop(): Promise<void>;
}

/** A minimal server on 127.0.0.1 that behaves like Harbour and answers correctly. */
export async function startStandIn(crew: readonly Sailor[]): Promise<StandIn> {
  const keys = new Set<string>();
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    const say = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (route === 'POST /sessions') {
      const { skipper, passphrase } = (await bodyOf(request)) as Record<string, unknown>;
      const sailor = crew.find(({ username, secretKey }) => username === skipper && secretKey === passphrase);
      if (sailor === undefined) return say(403, { type: '/problems/not-on-the-crew', title: 'Not on the crew' });
      const key = randomBytes(24).toString('base64url');
      keys.add(key);
      return say(201, { session: { key, seconds: 900, piers: sailor.piers } });
    }
    if (!keys.has(request.headers.authorization?.slice('Bearer '.length) ?? '')) {
      return say(401, { type: '/problems/session-over', title: 'Session over' });
    }
    if (route === 'GET /berths') return say(200, { berths: [1, 2, 3] });
    return say(409, { type: '/problems/berth-taken', title: 'That berth is taken' });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    revokeTokens: () => keys.clear(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}
