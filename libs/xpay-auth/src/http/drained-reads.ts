/**
 * Returns a function that resolves after everything has been read that the sockets of this process had received when it was
 * called, the end of a connection included. HTTP/1.1 has no number for an answer, so a request would take the bytes that its idle
 * connection received before for its own answer. Concurrent calls share the wait.
 */
export function createDrain(): () => Promise<void> {
  let shared: Promise<void> | undefined;
  const twoTurns = async (): Promise<void> => {
    await nextTurn();
    // A later caller waits anew: only bytes that arrived until now are surely read before the second turn.
    shared = undefined;
    // A caller may have been in the middle of a turn of the event loop, so only the second turn surely reads from the kernel.
    await nextTurn();
  };
  return () => (shared ??= twoTurns());
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
