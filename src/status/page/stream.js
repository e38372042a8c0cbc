/** Ms without a frame after which the connection counts as lost. */
const SILENCE_MS = 5_000;
const LONGEST_WAIT_MS = 5_000;

/** Sends a request of the page. Ambient credentials of the browser are never sent. */
export function send(path, { token, method = 'GET', body, signal } = {}) {
  return fetch(path, {
    method,
    signal,
    credentials: 'omit',
    cache: 'no-store',
    headers: {
      'x-xpay-status': '1',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** The app answered, but sends no frames. */
class AppFailure extends Error {}

/** The text of a failed response, for the user. */
export async function failureOf(response) {
  const { message } = await response.json().catch(() => ({}));
  return typeof message === 'string' ? message : `The app answered ${response.status}`;
}

/**
 * Receives frames, and connects again after each end of the stream. If the app answers 401 or 403, calls `onRefused` with the
 * response and does not connect again. Returns a function that stops it.
 */
export function receiveFrames({ token, onFrame, onLost, onRefused }) {
  const stopped = new AbortController();
  const receive = async () => {
    for (let failures = 0; !stopped.signal.aborted;) {
      const attempt = new AbortController();
      const abort = () => attempt.abort();
      stopped.signal.addEventListener('abort', abort);
      let reason = '';
      let silence = setTimeout(abort, SILENCE_MS);
      try {
        const response = await send('/status/frames', { token, signal: attempt.signal });
        if (response.status === 401 || response.status === 403) {
          onRefused(response);
          return;
        }
        if (!response.ok) throw new AppFailure(await failureOf(response));
        for await (const frame of framesOf(response.body)) {
          clearTimeout(silence);
          silence = setTimeout(abort, SILENCE_MS);
          failures = 0;
          onFrame(frame);
        }
      } catch (thrown) {
        failures += 1;
        reason = thrown instanceof AppFailure ? thrown.message : '';
      } finally {
        clearTimeout(silence);
        stopped.signal.removeEventListener('abort', abort);
      }
      if (failures === 0 || stopped.signal.aborted) continue;
      onLost(reason);
      await new Promise((done) => setTimeout(done, Math.min(LONGEST_WAIT_MS, 250 * 2 ** failures)));
    }
  };
  void receive();
  return () => stopped.abort();
}

async function* framesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split('\n');
    text = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
