import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type SpawnedProgram, ensureBuilt, spawnNode } from '../support/built-app.js';
import { operationAt } from '../support/openapi.js';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/openapi.md'), 'utf8');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The block of code that begins with a comment naming this file. */
function fileIn(markdown: string, name: string): string {
  const [, code] = new RegExp(`^\`\`\`ts\\n// ${name}\\n(.*?)^\`\`\`$`, 'ms').exec(markdown) ?? [];
  if (code === undefined) throw new Error(`No block of code named ${name}`);
  return code;
}

describe('the program of docs/openapi.md', () => {
  let folder: string;
  let xpay: XPayEmulator;
  let program: SpawnedProgram;
  let document: OpenAPIObject;
  beforeAll(async () => {
    await ensureBuilt();
    await mkdir(join(root, '.check'), { recursive: true });
    folder = await mkdtemp(join(root, '.check/openapi-'));
    for (const name of ['app.module.ts', 'reports.controller.ts'])
      await writeFile(join(folder, name), fileIn(readme, name));
    const main = fileIn(page, 'main.ts').replace('3000', '0');
    await writeFile(join(folder, 'main.ts'), `${main}console.log('listening on', await app.getUrl());\n`);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const compilerOptions = { outDir: 'dist', rootDir: '.', sourceMap: false, declaration: false };
    const tsconfig = { extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch(({ stdout }: { stdout: string }) => {
      throw new Error(`The program of docs/openapi.md does not compile:\n${stdout}`);
    });
    xpay = await startXPayEmulator();
    program = await spawnNode(join(folder, 'dist/main.js'), { XPAY_BASE_URL: xpay.url });
    const [, url] = await program.printed(/listening on (\S+)/);
    document = (await (await fetch(`${url}/docs-json`)).json()) as OpenAPIObject;
  }, 240_000);
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await xpay?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('serves the document of GET /wallets that the page shows', () => {
    const [, shown = ''] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
    expect(operationAt(document, 'get /wallets')).toMatchObject(JSON.parse(shown) as object);
    expect(operationAt(document, 'get /me').security).toEqual([{ basic: ['tme_user'] }, { bearer: ['tme_user'] }]);
  });
});
