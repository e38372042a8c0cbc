import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as TypeScript from 'typescript';

/** What edits a module: Nest's own, as `nest generate` uses it, and the compiler it stands on. */
export interface NestTools {
  readonly MetadataManager: new (content: string) => {
    /** The content with one more entry in a list of `@Module({ … })`; `undefined` where there is no such decorator. */
    insert(metadata: string, entry: string): string | undefined;
  };
  readonly typescript: typeof TypeScript;
}

/**
 * Nest's tools of the app in this folder, or of the CLI that runs. This package brings none along: whoever says `nest add`
 * has them.
 */
export async function loadNestTools(folder: string): Promise<NestTools> {
  const places = [join(folder, 'package.json'), process.argv[1] ?? ''].filter((place) => place !== '');
  for (const place of places) {
    try {
      const schematics = createRequire(place).resolve('@nestjs/schematics');
      const { MetadataManager } = (await import(pathToFileURL(schematics).href)) as Pick<NestTools, 'MetadataManager'>;
      return { MetadataManager, typescript: createRequire(schematics)('typescript') as typeof TypeScript };
    } catch {
      // Not there; the next place may have them.
    }
  }
  throw new Error('@nestjs/schematics, a development dependency of every Nest app, is not installed here.');
}
