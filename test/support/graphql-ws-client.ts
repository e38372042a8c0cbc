import { WebSocket } from 'ws';
import { settled } from './settled.js';

/** The responses to an operation: results, or errors instead of a result. */
export interface Came {
  readonly type: 'next' | 'error' | 'complete';
  readonly payload?: unknown;
}

export interface Connection extends AsyncDisposable {
  /** Runs an operation to its end. */
  run(query: string): Promise<Came[]>;
}

/** Connects a client of the protocol `graphql-transport-ws`, with the parts that these tests need. */
export async function connect(
  url: string,
  { params = {}, headers = {} }: { params?: Record<string, unknown>; headers?: Record<string, string> },
): Promise<Connection> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  const came: (Came & { readonly id?: string })[] = [];
  let acknowledged = false;
  socket.on('message', (bytes: Buffer) => {
    const message = JSON.parse(bytes.toString('utf8')) as Came | { readonly type: 'connection_ack' };
    if (message.type === 'connection_ack') acknowledged = true;
    else came.push(message);
  });
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: params })));
  await settled(() => acknowledged);
  let last = 0;
  return {
    run: async (query) => {
      const id = String(++last);
      socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }));
      const ours = (): Came[] => came.filter((message) => message.id === id);
      await settled(() => ours().some(({ type }) => type === 'error' || type === 'complete'));
      return ours().map(({ type, payload }) => ({ type, payload }));
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await settled(() => socket.readyState === WebSocket.CLOSED);
    },
  };
}
