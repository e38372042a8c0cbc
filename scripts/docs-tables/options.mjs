// The options of the module, with their defaults, as `nest/options/xpay-auth-options.ts` declares and describes them.
import vm from 'node:vm';
import ts from 'typescript';
import { docOf } from './docstrings.mjs';

/** One row for each option; a group's own options stand in its place, and it has a row if it may be something else too. */
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
  if (firstSentence === '') throw new Error(`the option ${path} has no docstring`);
  const literal = literalOf(byDefault);
  return {
    path,
    meaning: firstSentence,
    byDefault: literal === undefined ? byDefault : `\`${literal.text}\`${byDefault.slice(literal.text.length)}`,
    ...(literal !== undefined && { value: literal.value }),
  };
}

/** The value that a default begins with, as `60_000` or `'xpay'`, unless it is put into words; brackets may follow. */
function literalOf(byDefault) {
  const text = byDefault.replace(/ \(.*\)$/, '');
  try {
    const value = vm.runInNewContext(`(${text})`, {});
    return { text, value };
  } catch {
    return undefined;
  }
}
