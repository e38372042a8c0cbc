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
  const shell = process.platform === 'win32';
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', shell }).trim();
  const bytes = readFileSync(tarball);
  const known = new Map();
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
    const { accept = '*/*' } = request.headers;
    if (path === file) response.end(bytes);
    else if (path === manifest.name) response.setHeader('content-type', 'application/json').end(packument());
    else if (path.endsWith('.tgz'))
      await pipeline(Readable.fromWeb((await fetch(new URL(path, upstream))).body), response);
    else {
      const key = `${accept} ${path}`;
      let metadata = known.get(key);
      if (metadata === undefined) known.set(key, (metadata = metadataOf(path, accept)));
      const { status, text } = await metadata;
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'public, max-age=3600' });
      response.end(text);
    }
  }

  /** The metadata of another package. Its tarballs pass through this registry, too. */
  async function metadataOf(path, accept) {
    const answered = await fetch(new URL(path, upstream), { headers: { accept } });
    return { status: answered.status, text: (await answered.text()).replaceAll(upstream, url) };
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
