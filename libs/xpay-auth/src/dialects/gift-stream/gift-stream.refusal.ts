const words = (list: string): string[] => list.split(' ');

const CREDENTIALS = words('credential credentials email emails mail password passwords user username login account');
const WRONG = words('invalid incorrect wrong bad unknown unrecognised unrecognized mismatch');
/** Words that mean a rejection together with `not`, `no` or `cannot`: *not found*, *no such user*, *do not match*. */
const DENIED = words('found such exist exists match valid correct recognised recognized');
const DENIAL = words('not no cannot');
/** Further words that the message may contain. A message with any other word is not about credentials. */
const BETWEEN = words(
  'a an the this that these your you we and or of in for with is are was were be been do does did could can e address ' +
    'name combination given provided entered supplied please try again',
);

const KNOWN = new Set([...CREDENTIALS, ...WRONG, ...DENIED, ...DENIAL, ...BETWEEN]);

/**
 * Whether a message means that the credentials are wrong. gift-stream answers 400 to every failure and does not document its
 * messages, so the message is compared with words that upstreams commonly use. A message with any other word does not count as a
 * rejection.
 */
export function saysWrongCredentials(message: string): boolean {
  const said =
    message
      .toLowerCase()
      .replace(/n['’]t\b/g, ' not')
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  const says = (list: readonly string[]): boolean => said.some((word) => list.includes(word));
  return said.every((word) => KNOWN.has(word)) && says(CREDENTIALS) && (says(WRONG) || (says(DENIAL) && says(DENIED)));
}
