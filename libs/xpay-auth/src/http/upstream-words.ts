import { shortText } from './body.js';

/** A JWT, or a run of letters too long for a word: an upstream that repeats a token need not repeat all of it. */
const TOKEN_LIKE = /\beyJ[\w-]{8,}|[\w+/=-]{40,}/;

/**
 * The upstream's own words, fit for an operator's log: one line of at most 200 characters. `undefined` when there are none,
 * when they repeat one of the secrets in any spelling it had on the way, or when they hold what looks like a token.
 */
export function upstreamWords(words: unknown, secrets: readonly string[]): string | undefined {
  const line = shortText(words);
  if (line === undefined || typeof words !== 'string') return undefined;
  // The whole text is searched, not the shortened one: half a secret is a secret too.
  const repeated = secrets.some((secret) => spellings(secret).some((spelling) => words.includes(spelling)));
  return repeated || TOKEN_LIKE.test(words) ? undefined : line;
}

function spellings(secret: string): string[] {
  if (secret === '') return [];
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
  ];
}
