import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type SpawnedProgram, ensureBuilt, spawnBuiltApp } from '../support/built-app.js';

const root = resolve(import.meta.dirname, '../..');
const lines = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ').split('\n');
const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'));

/** The words of the last instruction with a JSON list after this one. */
function commandOf(instruction: string): string[] {
  const [, list = '[]'] =
    lines.map((line) => new RegExp(`^${instruction}\\b.*?(\\[.*\\])$`).exec(line)).find((match) => match !== null) ??
    [];
  return JSON.parse(list) as string[];
}

/** The exit code of the image's health check for this port. */
function healthOf(port: string): Promise<number> {
  const [, ...args] = commandOf('HEALTHCHECK');
  return new Promise((done) => {
    execFile(process.execPath, args, { env: { PORT: port } }, (error) => done(error === null ? 0 : Number(error.code)));
  });
}

/** The tests cannot build an image, so they check what would make the build or the container fail. */
describe('the Dockerfile', () => {
  beforeAll(ensureBuilt, 180_000);

  it('copies only files that exist and are not ignored', () => {
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      expect([source, existsSync(join(root, source))]).toEqual([source, true]);
      expect([source, allowed.some((path) => source.startsWith(path.slice(1)))]).toEqual([source, true]);
    }
  });

  it('copies the files of the status page to the place where the app reads them', () => {
    const finalStage = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
    expect(finalStage).toContain('COPY src/status/page src/status/page');
  });

  it('runs the built app directly, as an unprivileged user', () => {
    expect(commandOf('CMD')).toEqual(['node', 'dist/main.js']);
    expect(lines).toContain('USER node');
  });

  it('reports a running app as healthy and an absent one as unhealthy', async () => {
    await using app: SpawnedProgram = await spawnBuiltApp();
    const [, port = ''] = await app.printed(/Listening on http:\/\/127\.0\.0\.1:(\d+)/);
    expect(await healthOf(port)).toBe(0);
    app.kill('SIGTERM');
    await app.ended();
    expect(await healthOf(port)).toBe(1);
  });
});
