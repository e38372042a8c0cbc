import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

it('docs/licences.md is what `npm run licences` writes, and every licence is allowed', async () => {
  const check = promisify(execFile)(process.execPath, ['scripts/licences.mjs', '--check'], {
    cwd: resolve(import.meta.dirname, '../..'),
  });
  await expect(check).resolves.toMatchObject({ stderr: '' });
});
