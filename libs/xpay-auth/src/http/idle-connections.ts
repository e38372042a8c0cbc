import type { Agent } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Closes idle connections of Node's agents that receive anything: HTTP/1.1 has no number for an answer, so the next request
 * would take these bytes for its own. Node 20 drops them and keeps the connection. All versions read them as the next answer
 * if they are still in the kernel when the next request begins.
 */
export class IdleConnections {
  /** Open connections of this transport, each with its agent. */
  readonly #agents = new Map<Socket, Agent>();

  /** Call it for the connection of each request. */
  watch(socket: Socket, agent: Agent): void {
    if (this.#agents.has(socket)) return;
    this.#agents.set(socket, agent);
    socket.on('data', () => {
      if (isIdle(socket, agent)) socket.destroy();
    });
    socket.once('close', () => this.#agents.delete(socket));
  }

  /**
   * Resolves after everything has been read that idle connections had received until now, the end of a connection included.
   * A caller may be in the middle of a turn of the event loop, so only the second turn surely reads from the kernel.
   */
  async drain(): Promise<void> {
    if (this.#idle().length === 0) return;
    await nextTurn();
    await nextTurn();
  }

  /** Closes every idle connection of this transport. */
  close(): void {
    for (const socket of this.#idle()) socket.destroy();
  }

  #idle(): Socket[] {
    return [...this.#agents].flatMap(([socket, agent]) => (isIdle(socket, agent) ? [socket] : []));
  }
}

function isIdle(socket: Socket, { freeSockets }: Agent): boolean {
  return Object.values(freeSockets).some((sockets) => sockets?.includes(socket) === true);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
