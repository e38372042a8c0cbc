import { beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { ensureBuilt, spawnNode } from '../support/built-app.js';

describe('the built library', () => {
  beforeAll(ensureBuilt, 180_000);

  it('has each class and injection token once, with the name, the metadata and the stack traces of its source', async () => {
    await using program = await spawnNode(join(import.meta.dirname, 'entry-points.mjs'), {}, ['redis']);
    await program.ended();
    expect(program.output()).toBe('The entry points share their classes and injection tokens.\n');
  });
});
