import { beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { ensureBuilt, spawnNode } from '../support/built-app.js';

describe('the packages of the other contexts', () => {
  beforeAll(ensureBuilt, 240_000);

  it('I13 · an app that uses only HTTP neither loads nor needs them', async () => {
    await using program = await spawnNode(join(import.meta.dirname, '../packages/http-only-app.mjs'), {});
    expect(await program.ended()).toEqual({ code: 0, signal: null });
    expect(program.output()).toContain('statuses 200 401 403 504\n');
    // The hook that reports a load works.
    expect(program.output()).toContain('socket The package "@nestjs/websockets" cannot be loaded (Error)\n');
  });
});
