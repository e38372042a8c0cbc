import { ConfigModule } from '@nestjs/config';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Report } from './report.js';

/** The variables of this process after the files were loaded. */
export interface LoadedEnvironment {
  readonly read: (variable: string) => string | undefined;
  /** Returns the origin of a variable: `the environment`, or a file. */
  readonly sourceOf: (variable: string) => string;
  readonly names: readonly string[];
}

const DEFAULT_FILE = '.env';

/**
 * Loads the files into `process.env` with `ConfigModule.forRoot()`, as the app does. A variable of the environment takes
 * precedence over the files, and an earlier file over a later one.
 */
export async function loadEnvironment(report: Report, given: readonly string[]): Promise<LoadedEnvironment> {
  const sources = new Map<string, string>();
  const files = given.length > 0 ? given : [DEFAULT_FILE];
  for (const file of files) {
    const before = new Set(Object.keys(process.env));
    const fix = 'Check the path and the rights of the file, and run the command in the folder of your app.';
    if (existsSync(file)) {
      try {
        await ConfigModule.forRoot({ envFilePath: resolve(file) });
        const added = Object.keys(process.env).filter((name) => !before.has(name));
        for (const name of added) sources.set(name, file);
        report.ok('environment', `Variables that ${file} adds to the environment: ${added.length}`);
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException;
        report.failure('environment', `${file} cannot be read (${code ?? 'no reason given'})`, fix);
      }
    } else if (given.length > 0) report.failure('environment', `${file} does not exist`, fix);
    else report.ok('environment', `There is no ${file}, so only the environment is read`);
  }
  return {
    read: (variable) => process.env[variable],
    sourceOf: (variable) => sources.get(variable) ?? 'the environment',
    names: Object.keys(process.env),
  };
}
