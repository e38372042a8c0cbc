// A token endpoint where a share of the requests fails: by a reset, a 500, or no answer for a while and then a reset.
import { createServer } from 'node:http';

export const LIFE_S = 2;
export const FAILING_SHARE = 0.3;
/** Time until a request without an answer ends. */
export const SILENCE_MS = 500;

const FAULTS = {
  reset: (request) => request.socket.resetAndDestroy(),
  500: (_, response) => response.writeHead(500, { 'content-type': 'application/json' }).end('{}'),
  timeout: (request) => setTimeout(() => request.socket.resetAndDestroy(), SILENCE_MS).unref(),
};

/** Starts the endpoint. With the same seed, the same requests fail, by their number. */
export async function startUpstream(seed) {
  const random = mulberry32(seed);
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume();
    // Both are drawn for every request, so that the n-th request has the same result in every run with this seed.
    const [share, kind] = [random(), Math.floor(random() * 3)];
    if (share < FAILING_SHARE) {
      Object.values(FAULTS)[kind](request, response);
      return;
    }
    const body = {
      access_token: `${requests}.${Date.now() + LIFE_S * 1_000}`,
      token_type: 'Bearer',
      expires_in: LIFE_S,
    };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests: () => requests,
    stop: () => server.closeAllConnections() ?? server.close(),
  };
}

function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
