// A token endpoint that counts requests: `POST` returns a bearer for an hour, after a delay.
import { createServer } from 'node:http';

const ANSWER_AFTER_MS = 200;

export async function startEndpoint() {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume();
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ access_token: `token-${requests}`, token_type: 'Bearer', expires_in: 3_600 }));
    }, ANSWER_AFTER_MS);
  });
  // The backlog is large, because all requests of a crowd arrive at the same time.
  await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    taken() {
      const count = requests;
      requests = 0;
      return count;
    },
    stop: () => server.closeAllConnections() ?? server.close(),
  };
}
