import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const workflows = readdirSync(join(root, '.github/workflows'));
/** The text of a job of a workflow, by its name. */
const job = (workflow: string, name: string): string =>
  new RegExp(`^  ${name}:\\n((?: {3,}.*\\n|\\n)+)`, 'm').exec(text(`.github/workflows/${workflow}`))?.[1] ?? '';

describe('workflows and image', () => {
  it('N4 · name every action by commit, with its version as a comment', () => {
    const used = workflows.flatMap((name) => [...text(`.github/workflows/${name}`).matchAll(/uses: (.+)/g)]);
    expect(used.length).toBeGreaterThan(5);
    const unpinned = used.filter(([, action = '']) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action));
    expect(unpinned.map(([line]) => line)).toEqual([]);
  });

  it('N4 · publish in a job that has no sources, installs no dependencies and runs no scripts of packages', () => {
    const publish = job('release.yml', 'publish');
    expect(publish).toMatch(/id-token: write/);
    expect(publish).toMatch(/npm publish \.\/\S+\.tgz --ignore-scripts --provenance --access public/);
    expect(publish).not.toMatch(/npm (?:ci|i|install|run|exec)\b|npx|checkout/);
    // No other job may publish.
    expect(text('.github/workflows/release.yml').match(/id-token: write/g)).toHaveLength(1);
  });

  it('N4 · try to publish, with the settings for provenance, on every change and before a release', () => {
    for (const place of [job('check.yml', 'package'), job('release.yml', 'pack')]) {
      expect(place).toContain('npm publish --dry-run --provenance --access public -w nestjs-xpay-auth');
    }
  });

  it('N4 · build the image in several stages from an image with a digest', () => {
    const dockerfile = text('Dockerfile');
    expect(dockerfile).toMatch(/^ARG NODE=node:24\S*@sha256:[0-9a-f]{64}$/m);
    const stages = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(stages).toEqual(['${NODE}', '${NODE}', '${NODE}']);
  });
});
