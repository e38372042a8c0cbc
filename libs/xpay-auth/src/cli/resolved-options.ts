import { XPayAuthError } from '../core/errors.js';
import { isObject } from '../core/decoders.js';
import { ENVIRONMENT } from '../nest/options/environment.js';
import { DEFAULT_INSTANCE, type ResolvedOptions, resolveOptions } from '../nest/options/resolve-options.js';
import { keyRing } from '../stores/key-ring.js';
import type { LoadedEnvironment } from './environment-files.js';
import type { Report, ShownOption } from './report.js';

/** The options of an instance, and the variables of its store. */
export interface DoctorOptions {
  readonly options: ResolvedOptions;
  /** The options as texts, with secrets redacted, those of the environment first. */
  readonly shown: readonly ShownOption[];
  readonly redisUrl: string | undefined;
  readonly encryptionKeys: string | undefined;
}

/** Fields that are no options, or that are shown separately. */
const NOT_SHOWN = new Set(['envPrefix', 'inCode', 'usesDefaultHost', 'clock', 'store', 'credentials']);

/**
 * Resolves the options as `XPayAuthModule.forRoot({ name, envPrefix })` does. Returns `undefined` if an option is invalid.
 */
export function resolve(
  report: Report,
  { prefix, name }: { readonly prefix: string | undefined; readonly name: string | undefined },
  { read, sourceOf, names }: LoadedEnvironment,
): DoctorOptions | undefined {
  // As `resolveOptions`: a named instance reads variables only with a prefix.
  const inUse = prefix ?? (name === undefined ? 'XPAY_' : '');
  const variable = (suffix: string): string | undefined =>
    inUse === '' ? undefined : read(inUse + suffix) || undefined;
  const [redisUrl, encryptionKeys] = [variable('REDIS_URL'), variable('ENCRYPTION_KEYS')];
  report.hide(variable('SECRET_KEY'), ...secretsOfUrl(redisUrl), ...secretsOfKeys(encryptionKeys));
  if (inUse !== '') warnOfUnknown(report, inUse, names);
  try {
    const given = prefix === undefined ? {} : { envPrefix: prefix };
    const options = resolveOptions(given, name === undefined ? {} : { name }, read);
    const origin = (suffix: string): string => `${inUse}${suffix}, from ${sourceOf(inUse + suffix)}`;
    report.ok('options', 'The options are valid. Options that your code sets are not visible here.');
    return { options, shown: shown(options, { variable, origin }), redisUrl, encryptionKeys };
  } catch (thrown) {
    if (!(thrown instanceof XPayAuthError)) throw thrown;
    for (const line of thrown.message.split('\n')) {
      report.failure(
        'options',
        line,
        'Correct the value; docs/reference.md lists all options. Then run this command again for the other checks.',
      );
    }
    return undefined;
  }
}

function shown(
  options: ResolvedOptions,
  { variable, origin }: { variable: (suffix: string) => string | undefined; origin: (suffix: string) => string },
): ShownOption[] {
  const suffixOf = (option: string): string | undefined =>
    Object.entries(ENVIRONMENT).find(([suffix, path]) => path === option && variable(suffix) !== undefined)?.[0];
  const row = (option: string, value: unknown): ShownOption => {
    const suffix = suffixOf(option);
    const byDefault = option === 'name' && value !== DEFAULT_INSTANCE ? '--name' : 'default';
    const source = suffix === undefined ? byDefault : origin(suffix);
    return { option, value: JSON.stringify(value) ?? 'not set', source };
  };
  const { dialect, credentials } = options;
  const username = credentials !== undefined && 'username' in credentials ? credentials.username : undefined;
  const rows = Object.entries({ ...options, dialect: dialect.name }).flatMap(([option, value]) => {
    if (NOT_SHOWN.has(option)) return [];
    const isGroup = isObject(value) && option !== 'scopeHierarchy';
    return isGroup
      ? Object.entries(value).map(([field, inner]) => row(`${option}.${field}`, inner))
      : [row(option, value)];
  });
  const account = [
    row('credentials.username', username),
    row('credentials.secretKey', username === undefined ? undefined : '[redacted]'),
  ];
  const all = [...account, ...rows, ...store(row, variable, origin)];
  return [...all.filter(({ source }) => source !== 'default'), ...all.filter(({ source }) => source === 'default')];
}

function store(
  row: (option: string, value: unknown) => ShownOption,
  variable: (suffix: string) => string | undefined,
  origin: (suffix: string) => string,
): ShownOption[] {
  const [url, keys] = [variable('REDIS_URL'), variable('ENCRYPTION_KEYS')];
  if (url === undefined) return [{ ...row('store', undefined), source: 'default' }];
  return [
    { option: 'store url', value: withoutPassword(url), source: origin('REDIS_URL') },
    {
      option: 'store encryptionKeys',
      value: keys === undefined ? 'not set' : idsOf(keys),
      source: keys === undefined ? 'default' : origin('ENCRYPTION_KEYS'),
    },
  ];
}

/** Variables with the prefix that the library does not read, such as misspelt ones. */
function warnOfUnknown(report: Report, prefix: string, names: readonly string[]): void {
  const known = Object.keys(ENVIRONMENT);
  const unknown = names.filter((name) => {
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
    // `XPAY_GIFT_USERNAME` may belong to a named instance with the prefix `XPAY_GIFT_`.
    return suffix !== undefined && !known.some((each) => suffix === each || suffix.endsWith(`_${each}`));
  });
  if (unknown.length === 0) return;
  const fix = `Check the spelling. The library reads ${known.map((each) => prefix + each).join(', ')}.`;
  report.warning('environment', `The library does not read ${unknown.join(', ')}`, fix);
}

/**
 * Returns the scheme, the username, the host and the path. Any other part of the URL may contain a secret, and so may a username
 * without a password.
 */
function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return '[redacted]';
  const { protocol, username, password, host, pathname } = new URL(url);
  const user = password === '' ? username && '[redacted]@' : `${username}:[redacted]@`;
  return `${protocol}//${user}${host}${pathname}`;
}

/** Returns the ids of the keys. A text that is no list of keys may be a key, so it is not shown. */
function idsOf(keys: string): string {
  try {
    keyRing(keys);
    return keys
      .split(',')
      .map((key) => key.trim().replace(/:.*$/s, ':[redacted]'))
      .join(',');
  } catch {
    return '[redacted]';
  }
}

function secretsOfUrl(url: string | undefined): (string | undefined)[] {
  if (url === undefined || !URL.canParse(url)) return [url];
  const { username, password, searchParams } = new URL(url);
  const secret = password || username;
  return [secret, decoded(secret), ...searchParams.values()];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function secretsOfKeys(keys: string | undefined): string[] {
  return (keys ?? '').split(',').map((item) => item.trim().replace(/^[\w-]{1,32}:/, ''));
}
