/** A JWT, or a run of letters too long for a word: an upstream may repeat a part of a token. */
const TOKEN_LIKE = /\beyJ[\w-]{8,}|[\w+/=-]{40,}/;

/** So many characters of a secret in a row are a part of it rather than a coincidence. */
const PART_LENGTH = 8;

/** Number of characters that are quoted. */
const QUOTED = 200;

/** Number of characters that are searched: more, so that a secret is found that the end of the quotation cuts. */
const SEARCHED = 1_000;

/**
 * Returns the upstream's own words about an API call for an operator's log: one line of at most 200 characters. `undefined`
 * when there are none, when they contain 8 characters in a row (or all, if there are fewer) of one of the secrets, in any case
 * of letters and any encoding used in the request, or when they contain text that looks like a token.
 *
 * Not for the answer to a login: a password can be written in more ways than can be searched for.
 */
export function upstreamWords(words: unknown, secrets: readonly string[]): string | undefined {
  const line = typeof words === 'string' ? words.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim() : '';
  if (line === '') return undefined;
  const searched = line.slice(0, SEARCHED);
  const repeated = secrets.some((secret) => spellings(secret).some((spelling) => repeats(searched, spelling)));
  return repeated || TOKEN_LIKE.test(line) ? undefined : line.slice(0, QUOTED);
}

function repeats(words: string, spelling: string): boolean {
  const length = Math.min(PART_LENGTH, spelling.length);
  const runs = new Set(runsOf(spelling.toLowerCase(), length));
  return runsOf(words.toLowerCase(), length).some((run) => runs.has(run));
}

function runsOf(text: string, length: number): string[] {
  return Array.from({ length: Math.max(0, text.length - length + 1) }, (_, at) => text.slice(at, at + length));
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
    Buffer.from(secret).toString('hex'),
  ];
}
