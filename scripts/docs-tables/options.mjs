// Reads the options of the module, with defaults and descriptions, from `nest/options/xpay-auth-options.ts`.
import vm from 'node:vm';
import ts from 'typescript';
import { docOf } from './docstrings.mjs';

/** Returns one row per option. A group has a row for each of its options, and its own row only if it accepts another type too. */
export function optionRows(source, interfaceName = 'XPayAuthOptions', prefix = '') {
  return source.membersOf(interfaceName).flatMap((member) => {
    const path = prefix + member.name.getText();
    const types = ts.isUnionTypeNode(member.type) ? member.type.types : [member.type];
    const group = types.map((type) => type.getText()).find((name) => source.membersOf(name) !== undefined);
    const own = group === undefined || types.length > 1 ? [rowOf(member, path)] : [];
    return group === undefined ? own : [...own, ...optionRows(source, group, `${path}.`)];
  });
}

function rowOf(member, path) {
  const { firstSentence, byDefault = 'none' } = docOf(member);
  if (firstSentence === '') throw new Error(`the option ${path} has no docstring. Add one.`);
  const literal = literalOf(byDefault);
  return {
    path,
    meaning: firstSentence,
    byDefault: literal === undefined ? byDefault : `\`${literal.text}\`${byDefault.slice(literal.text.length)}`,
    ...(literal !== undefined && { value: literal.value }),
  };
}

/** Returns the literal at the start of a default, such as `60_000` or `'xpay'`, or `undefined` for a default in words. */
function literalOf(byDefault) {
  const text = byDefault.replace(/ \(.*\)$/, '');
  try {
    const value = vm.runInNewContext(`(${text})`, {});
    return { text, value };
  } catch {
    return undefined;
  }
}
