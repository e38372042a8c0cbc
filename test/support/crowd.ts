import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';

/** Connections that are opened at once: the system drops those beyond the backlog of a server, and repeats them late. */
const OPENED_AT_ONCE = 100;

/** Sends all requests for `/me` before any answer, on a connection each. Returns the statuses in the order of the requests. */
export async function statusesOf(
  { url }: { readonly url: string },
  requests: readonly Readonly<Record<string, string>>[],
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const statuses: Promise<number | undefined>[] = [];
  try {
    for (let i = 0; i < requests.length; i += OPENED_AT_ONCE) {
      const batch = requests.slice(i, i + OPENED_AT_ONCE);
      const sent = batch.map((headers) => request(`${url}/me`, { agent, headers }).end());
      statuses.push(...sent.map(statusOf));
      await Promise.all(sent.map(connected));
    }
    return (await Promise.all(statuses)).map(Number);
  } finally {
    agent.destroy();
  }
}

async function statusOf(sent: ClientRequest): Promise<number | undefined> {
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

async function connected(sent: ClientRequest): Promise<void> {
  const [socket] = (await once(sent, 'socket')) as [Socket];
  if (socket.connecting) await once(socket, 'connect');
}
