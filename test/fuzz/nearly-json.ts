import fc from 'fast-check';
import { anyText } from '../support/any-text.js';

/**
 * Values that upstreams should not send and do: odd strings, extreme numbers, names that JavaScript treats specially.
 */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    '',
    ' ',
    0,
    -1,
    0.5,
    Infinity,
    -Infinity,
    Number.MAX_SAFE_INTEGER,
    [],
    {},
  ),
  fc.constantFrom('NaN', 'null', '__proto__', 'constructor', '\u0000', '\ud800', 'a'.repeat(5_000), '1e3', '0x10'),
  anyText(),
  fc.double(),
  fc.integer(),
  fc.dictionary(
    fc.constantFrom('data', 'error', 'success', 'message', '__proto__', 'toString', 'length'),
    fc.jsonValue(),
  ),
  fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null)), { maxLength: 150 }),
  fc.jsonValue(),
);

/** One change to a document: its path (as a number for each level), and the change there. */
interface Change {
  readonly way: readonly number[];
  readonly what: 'replace' | 'remove' | 'wrap' | 'add';
  readonly value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  way: fc.array(fc.nat(20), { maxLength: 5 }),
  what: fc.constantFrom('replace', 'replace', 'remove', 'wrap', 'add'),
  value: oddValue,
});

/** The text of a valid document with up to three mistakes, or of an invalid document. */
export function nearlyJson(right: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const changed = fc
    .tuple(right, fc.array(change, { maxLength: 3 }))
    .map(([document, changes]) => textOf(changes.reduce(applied, structuredClone(document))));
  return fc.oneof(
    { weight: 6, arbitrary: changed },
    { weight: 1, arbitrary: fc.tuple(changed, fc.nat(400)).map(([text, at]) => text.slice(0, at)) },
    { weight: 1, arbitrary: fc.tuple(changed, oddText, fc.nat(400)).map(([text, odd, at]) => spliced(text, odd, at)) },
    { weight: 1, arbitrary: oddText },
    { weight: 1, arbitrary: oddValue.map(textOf) },
  );
}

const oddText = fc.oneof(
  anyText({ maxLength: 200 }),
  fc.constantFrom(
    '\ufeff',
    '',
    '{',
    '[',
    '[[[[[[[[',
    '"',
    '{"a":',
    '1e999',
    '<html>',
    '\u2028',
    '{"__proto__":{"success":{}}}',
  ),
  fc.nat(2_000).map((depth) => '['.repeat(depth)),
  fc.nat(2_000).map((depth) => '{"success":'.repeat(depth) + '1' + '}'.repeat(depth)),
);

function applied(document: unknown, { way, what, value }: Change): unknown {
  const [step, ...rest] = way;
  if (typeof document !== 'object' || document === null || step === undefined)
    return what === 'wrap' ? [document] : value;
  const holder = document as Record<string, unknown>;
  const names = Object.keys(holder);
  if (what === 'add' && rest.length === 0)
    return { ...holder, [['success', 'error', 'data', 'exp'][step % 4] ?? '']: value };
  const name = names[step % Math.max(1, names.length)];
  if (name === undefined) return value;
  if (what === 'remove' && rest.length === 0) delete holder[name];
  else holder[name] = applied(holder[name], { way: rest, what, value });
  return holder;
}

/** `JSON.stringify`, except that values outside JSON become a number that no double holds. */
function textOf(value: unknown): string {
  const text =
    JSON.stringify(value, (_, part: unknown) => (part === Infinity || part === -Infinity ? '∞' : part)) ?? '';
  return text.replaceAll('"∞"', '1e999');
}

function spliced(text: string, odd: string, at: number): string {
  return text.slice(0, at) + odd + text.slice(at);
}
