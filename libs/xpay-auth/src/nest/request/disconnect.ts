import type { OnLeave } from '../../async/promises.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** A connection, or with HTTP/2 the stream of one request. */
interface Closable {
  readonly destroyed?: boolean | undefined;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

interface Listeners {
  readonly leavers: Set<() => void>;
  readonly listener: () => void;
}

/** One listener for each connection, however many requests are pipelined on it: Node warns of a leak beyond ten. */
const listening = new WeakMap<Closable, Listeners>();

/** Returns what reports that the client of this request has disconnected; `undefined` where that is not known. */
export function disconnectOf(request: IncomingRequest): OnLeave | undefined {
  const node = (request.raw ?? request) as { readonly stream?: unknown; readonly socket?: unknown };
  const connection = node.stream ?? node.socket ?? request.socket;
  return isClosable(connection) ? (leave) => onClose(connection, leave) : undefined;
}

function onClose(connection: Closable, leave: () => void): () => void {
  if (connection.destroyed === true) {
    leave();
    return () => undefined;
  }
  const { leavers, listener } = listening.get(connection) ?? listenTo(connection);
  // A function of its own for each request: the same `leave` may wait twice.
  const once = (): void => leave();
  leavers.add(once);
  return () => {
    if (!leavers.delete(once) || leavers.size > 0) return;
    connection.off('close', listener);
    listening.delete(connection);
  };
}

function listenTo(connection: Closable): Listeners {
  const leavers = new Set<() => void>();
  const listener = (): void => {
    listening.delete(connection);
    const leaving = [...leavers];
    leavers.clear();
    for (const leave of leaving) leave();
  };
  const listeners = { leavers, listener };
  listening.set(connection, listeners);
  connection.once('close', listener);
  return listeners;
}

function isClosable(value: unknown): value is Closable {
  const { once, off } = (value ?? {}) as Partial<Record<keyof Closable, unknown>>;
  return typeof once === 'function' && typeof off === 'function';
}
