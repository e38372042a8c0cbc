import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { ensureBuilt } from '../support/built-app.js';

const root = resolve(import.meta.dirname, '../..');
const { exports } = JSON.parse(readFileSync(join(root, 'libs/xpay-auth/package.json'), 'utf8')) as { exports: object };
const entries = Object.keys(exports)
  .filter((path) => path !== './package.json')
  .map((path) => `nestjs-xpay-auth${path.slice(1)}`);

describe('the packed library, in the program of an app', () => {
  const app = mkdtempSync(join(realpathSync(tmpdir()), 'xpay-auth-resolution-'));

  beforeAll(() => {
    mkdirSync(join(app, 'node_modules'));
    symlinkSync(join(root, 'libs/xpay-auth'), join(app, 'node_modules/nestjs-xpay-auth'), 'junction');
    return ensureBuilt();
  }, 180_000);
  afterAll(() => rmSync(app, { recursive: true, force: true }));

  // Nest 11 is CommonJS, and so are most apps that use it.
  it.each<[string, string, ts.CompilerOptions]>([
    ['node10', 'cts', { module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10 }],
    ['node16', 'cts', { module: ts.ModuleKind.Node16 }],
    ['nodenext', 'cts', { module: ts.ModuleKind.NodeNext }],
    ['nodenext, ES modules', 'mts', { module: ts.ModuleKind.NodeNext }],
    ['bundler', 'ts', { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
  ])('N2 · declares every entry point with moduleResolution %s', (_, extension, options) => {
    expect(errorsOf(join(app, `main.${extension}`), options)).toEqual([]);
  });
});

/** Returns what TypeScript reports about a program that imports every entry point. */
function errorsOf(file: string, options: ts.CompilerOptions): string[] {
  const source = entries.map((entry, index) => `import * as entry${index} from '${entry}';\nvoid entry${index};\n`);
  const settings: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    ignoreDeprecations: '6.0',
    ...options,
  };
  const host = ts.createCompilerHost(settings);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (path) => path === file || fileExists(path);
  host.getSourceFile = (path, language, ...rest) =>
    path === file ? ts.createSourceFile(path, source.join(''), language) : getSourceFile(path, language, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], settings, host))
    .map(({ code, messageText }) => `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}
