import { inspect } from 'node:util';

/** Where one of the secrets shows, in any spelling it had on the way: names of the places, none when it is well kept. */
export function spilled(value: unknown, secrets: readonly string[]): string[] {
  const needles = secrets.filter((secret) => secret !== '').flatMap(spellings);
  return Object.entries(views(value))
    .filter(([, text]) => needles.some((needle) => text.includes(needle)))
    .map(([place]) => place);
}

/** Every way a value gets into a log. */
function views(value: unknown, place = 'the value'): Record<string, string> {
  const shown: Record<string, string> = {
    [`inspect of ${place}`]: inspect(value, {
      showHidden: true,
      depth: Infinity,
      getters: true,
      maxStringLength: null,
    }),
    [`JSON of ${place}`]: jsonOf(value),
    [`String of ${place}`]: textOf(value),
  };
  if (!(value instanceof Error)) return shown;
  shown[`stack of ${place}`] = value.stack ?? '';
  const own = Object.fromEntries(Object.getOwnPropertyNames(value).map((name) => [name, Reflect.get(value, name)]));
  shown[`own properties of ${place}`] = jsonOf({ ...own, cause: undefined });
  return value.cause === undefined ? shown : { ...shown, ...views(value.cause, `the cause of ${place}`) };
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return '';
  }
}

function spellings(secret: string): string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // What an inspection makes of JSON that was quoted once already.
    JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    // Half a secret is a secret too.
    secret.slice(0, Math.max(12, Math.ceil(secret.length / 2))),
  ];
}
