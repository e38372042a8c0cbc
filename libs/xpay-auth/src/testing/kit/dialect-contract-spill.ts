import { inspect } from 'node:util';

const INSPECTION = { showHidden: true, depth: Infinity, getters: true, maxStringLength: null };

/** The places that show one of the secrets, in any encoding. Empty if none leaks. */
export function spilled(value: unknown, secrets: readonly string[]): string[] {
  const needles = secrets.filter((secret) => secret !== '').flatMap(spellings);
  return Object.entries(views(value))
    .filter(([, text]) => needles.some((needle) => text.includes(needle)))
    .map(([place]) => place);
}

/** Every way in which a value can be written to a log. */
function views(value: unknown, place = 'the value'): Record<string, string> {
  const shown: Record<string, string> = {
    [`inspect of ${place}`]: inspect(value, INSPECTION),
    [`JSON of ${place}`]: attempt(() => JSON.stringify(value)),
    [`String of ${place}`]: attempt(() => String(value)),
  };
  if (!(value instanceof Error)) return shown;
  shown[`stack of ${place}`] = value.stack ?? '';
  const own = Object.fromEntries(Object.getOwnPropertyNames(value).map((name) => [name, Reflect.get(value, name)]));
  shown[`own properties of ${place}`] = attempt(() => JSON.stringify({ ...own, cause: undefined }));
  return value.cause === undefined ? shown : { ...shown, ...views(value.cause, `the cause of ${place}`) };
}

/** The text, or '' if the value cannot be written. */
export function attempt(write: () => string | undefined): string {
  try {
    return write() ?? '';
  } catch {
    return '';
  }
}

function spellings(secret: string): string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // JSON inside a string that is inspected.
    JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    // Half of a secret must not leak either.
    secret.slice(0, Math.max(12, Math.ceil(secret.length / 2))),
  ];
}
