import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ENVIRONMENT, type ReadVariable } from './environment.js';

/**
 * Returns a warning for variables that an env file sets and that the app does not receive. The cause is a `validate` function of
 * `@nestjs/config` that drops unknown keys. Returns `undefined` if there are no such variables. The warning contains no values.
 *
 * `isSet` returns whether an option is set in code, so that its variable is not needed.
 */
export function unreadVariables(
  prefix: string,
  config: object,
  read: ReadVariable,
  isSet: (option: string) => boolean,
): string | undefined {
  if (prefix === '') return undefined;
  for (const file of filesOf(config)) {
    const set = variablesIn(file);
    const unread = Object.entries(ENVIRONMENT).flatMap(([name, option]) => {
      const variable = prefix + name;
      const isMissing = Boolean(set[variable]) && !read(variable) && !isSet(option.split('.')[0] ?? option);
      return isMissing ? [variable] : [];
    });
    if (unread.length > 0) {
      return (
        `${file} sets ${unread.join(', ')}, but ConfigService does not return ${unread.length > 1 ? 'them' : 'it'}, so the ` +
        'defaults apply. Keep unknown keys in the `validate` function or schema of ConfigModule.forRoot(), or list these variables in it. ' +
        'If the file is not used on purpose, remove the lines.'
      );
    }
  }
  return undefined;
}

/** The files of `ConfigModule.forRoot()`, which keeps them in a private field. */
function filesOf(config: object): readonly string[] {
  const paths: unknown = 'envFilePaths' in config ? config.envFilePaths : undefined;
  const files = Array.isArray(paths) ? paths.filter((path): path is string => typeof path === 'string') : [];
  return files.length > 0 ? files : [resolve(process.cwd(), '.env')];
}

function variablesIn(file: string): NodeJS.Dict<string> {
  try {
    return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  } catch {
    return {};
  }
}
