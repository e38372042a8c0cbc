// An npm registry on loopback. It serves the packed tarball as the only version of the library, and passes every other
// request to the registry that npm is configured with.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';

/** Starts the registry. The port is fixed by default, because npm and pnpm cache by URL. */
export async function startRegistry({ tarball, manifest, port = 4874 }) {
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const bytes = readFileSync(tarball);
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      console.error(`registry: ${request.url}: ${error.message}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/`;
  const file = `${manifest.name}/-/${manifest.name}-${manifest.version}.tgz`;
  return { url, close: () => server.close(() => {}) };

  async function answer(request, response) {
    const path = request.url.slice(1);
    if (path === file) return response.end(bytes);
    if (path === manifest.name) return response.setHeader('content-type', 'application/json').end(packument());
    const { accept = '*/*' } = request.headers;
    const answered = await fetch(new URL(path, upstream), { headers: { accept } });
    const text = /json/.test(answered.headers.get('content-type') ?? '');
    response.writeHead(answered.status, { 'content-type': answered.headers.get('content-type') ?? '' });
    // The tarballs of the other packages pass through here too.
    if (text) response.end((await answered.text()).replaceAll(upstream, url));
    else await pipeline(Readable.fromWeb(answered.body), response);
  }

  function packument() {
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const version = { ...manifest, dist: { tarball: url + file, integrity } };
    const { name } = manifest;
    return JSON.stringify({
      name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: version },
      // pnpm does not install versions of the last days without this.
      time: { [manifest.version]: '2026-01-01T00:00:00.000Z' },
    });
  }
}
