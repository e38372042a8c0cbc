import ts from 'typescript';

/** A character that ends a block. It replaces one line break or one bar, so the positions in the text do not change. */
const BREAK = '\u2029';
/** Code, quotations, addresses, paths and placeholders. */
const NO_PROSE =
  /\{@link [^}]*\}|`[^`]*`|"[^"\n]*"|“[^”]*”|https?:\/\/[^\s)]+|\$\{[^}]*\}|\$\w+|[\w.-]*\/[\w./-]+|[\w.-]+\.[cm]?[jt]s\b/g;
const ROW_CODES = /^.(?:[A-Z]\d{1,2},? )+· /;

/** Returns the blocks of prose in a file, each with its offset. `path` determines the syntax. All other text is blanked. */
export function blocksOf(path, text) {
  if (path.endsWith('.md')) return [{ text: ofMarkdown(text), offset: 0 }];
  if (/\.(?:[cm]?[jt]s|jsonc)$/.test(path)) return ofCode(path, text);
  if (path.endsWith('.json')) return matches(text, /(?<="(?:description|title|summary|x-prompt)": ?")(?:\\.|[^"\\])*/g);
  return [
    ...matches(text, /(?:^[ \t]*#(?!!).*\n?)+|(?<=\s)# .*/gm).map(({ text: comment, offset }) => ({
      text: comment.replace(/^[ \t]*#/gm, blank),
      offset,
    })),
    ...matches(text, /(?<=^[ -]*(?:name|summary|description): ).*/gm),
  ];
}

/** Splits blocks into sentences with their positions. Text within a sentence that is not prose becomes `x`. */
export function sentencesOf(blocks, end = /[.!?:;](?=[\s)"'\]*_]|$)/) {
  const separator = new RegExp(`${end.source}["')\\]]*|\\n\\s*\\n|${BREAK}`, 'g');
  return blocks.flatMap(({ text, offset }) => {
    const plain = text.replace(NO_PROSE, (code) => filled('x', code)).replace(/\]\([^)\s]*\)/g, blank);
    const found = [];
    let from = 0;
    for (const { 0: mark, index } of [...plain.matchAll(separator), { 0: '', index: plain.length }]) {
      const raw = plain.slice(from, index + (mark.trim() === '' ? 0 : mark.length));
      const start = from + raw.length - raw.trimStart().length;
      found.push({ text: raw.replace(/[\s[\]*_(\u2029]+/g, ' ').trim(), at: offset + start });
      from = index + mark.length;
    }
    return found.filter((sentence) => /[a-z]{3}/.test(sentence.text) && sentence.text.split(' ').length >= 3);
  });
}

function ofMarkdown(text) {
  return text
    .replace(/^( *)(`{3,})[^\n]*\n[\s\S]*?\n *\2`*$|<!--[\s\S]*?-->|^---\n[\s\S]*?\n---$/gm, blank)
    .replace(/^ *\|?[ :|-]+\|[ :|-]*$/gm, blank)
    .replace(/\||(?<=^#+ .*)\n|\n(?= *(?:[-*+>]|\d+\.) )/gm, BREAK)
    .replace(/^ *(?:#+|[-*+>]|\d+\.) |(?<=\u2029) *(?:[-*+>]|\d+\.) /gm, blank);
}

/** Returns the comments, and the strings of three words or more: test titles, messages and descriptions. */
function ofCode(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const [strings, expressions] = [[], []];
  const visit = (node) => {
    const isString = ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
    const list = isString ? strings : ts.isRegularExpressionLiteral(node) ? expressions : undefined;
    list?.push({ text: node.getText(source), offset: node.getStart(source) });
    ts.forEachChild(node, visit);
  };
  visit(source);
  let code = text;
  for (const { text: literal, offset } of [...strings, ...expressions]) {
    code = code.slice(0, offset) + blank(literal) + code.slice(offset + literal.length);
  }
  const comments = matches(code, /\/\*[\s\S]*?\*\/|(?:\/\/.*(?:\n[ \t]*(?=\/\/))?)+/g).map(
    ({ text: shown, offset }) => {
      const comment = text.slice(offset, offset + shown.length);
      const plain = comment
        .replace(/^[ \t]*(?:\/\/+|\/\*+|\*+\/?)|\*+\/$/gm, blank)
        .replace(/@(?:param|throws)\b(?: [\w.]+)?|@[a-z][\w-]*|\n(?= *(?:[-*]|\d\.) )/g, (tag) => filled(BREAK, tag));
      return { text: plain, offset };
    },
  );
  const titles = strings
    .filter((string) => /(?:[\p{L}’'`,;:.-]+\s+){2}[\p{L}]/u.test(string.text))
    .map(({ text: shown, offset }) => ({
      text: shown.replace(ROW_CODES, blank).replace(/^['"`]|['"`]$/g, ' '),
      offset,
    }));
  return [...comments, ...titles];
}

function matches(text, pattern) {
  return [...text.matchAll(pattern)].map(({ 0: found, index: offset }) => ({ text: found, offset }));
}

function blank(text) {
  return text.replace(/[^\n]/g, ' ');
}

function filled(first, text) {
  return first + blank(text).slice(1);
}
