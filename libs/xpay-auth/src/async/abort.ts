const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `leave` when the signal aborts, at once if it has. However many wait for one signal, it has one listener: Node
 * warns of a leak beyond ten. Returns what ends the wait.
 */
export function onAbort(signal: AbortSignal, leave: () => void): () => void {
  if (signal.aborted) {
    leave();
    return () => undefined;
  }
  const leavers = waiting.get(signal) ?? listenTo(signal);
  // A function of its own for each wait: the same `leave` may wait twice.
  const once = (): void => leave();
  leavers.add(once);
  return () => {
    leavers.delete(once);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const leavers = new Set<() => void>();
  waiting.set(signal, leavers);
  signal.addEventListener(
    'abort',
    () => {
      for (const leave of leavers) leave();
      leavers.clear();
    },
    { once: true },
  );
  return leavers;
}
