// `npm run prose`: checks the English of every tracked text: documents, comments, test titles, messages, descriptions.
// It fails if too many sentences hide their subject ("Who …", "What …", "Nobody …") or use odd words. It prints these sentences
// with their places. With file names, it checks only those files. `--long` also prints the long sentences of the documents.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { blocksOf, sentencesOf } from './prose/sentences.mjs';
import { ODD_WORDS, OPENER } from './prose/words.mjs';

/** Highest share of each finding, in percent of all sentences. */
const BOUND = 0.3;
const LONG = 40;
const TEXTS =
  /\.(?:md|[cm]?[jt]s|jsonc?|ya?ml|conf)$|(?:^|\/)(?:Dockerfile|Caddyfile|\.npmrc|\.\w+ignore|\.editorconfig)$/;
/** Generated files, and the spec of this check, which contains wrong sentences on purpose. */
const SKIPPED = /(?:^|\/)(?:package-lock\.json|bench\/results\/.*|prose-check\.spec\.ts)$/;
const DOCUMENTS = /^(?:README\.md|docs\/)/;

const root = resolve(import.meta.dirname, '..');
const named = process.argv.slice(2).filter((argument) => argument !== '--long');
const files = named.length > 0 ? named.map((name) => resolve(name)) : tracked();

const findings = { openers: [], words: [], long: [] };
let count = 0;
for (const file of files) {
  const path = file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file;
  const text = readFileSync(file, 'utf8');
  const add = (list, { text: sentence, at }, advice) =>
    list.push(`${path}:${text.slice(0, at).split('\n').length}: ${advice}: ${sentence.slice(0, 160)}`);
  const blocks = blocksOf(path, text);
  const sentences = sentencesOf(blocks);
  count += sentences.length;
  for (const sentence of sentences) {
    if (OPENER.test(sentence.text)) add(findings.openers, sentence, 'begin with the subject');
    for (const [pattern, better] of ODD_WORDS) {
      for (const [word] of sentence.text.matchAll(new RegExp(pattern, 'gi'))) {
        add(findings.words, sentence, `"${word}", write ${better}`);
      }
    }
  }
  if (!DOCUMENTS.test(path)) continue;
  for (const sentence of sentencesOf(blocks, /[.!?](?=[\s)"'\]*_]|$)/)) {
    if (sentence.text.split(' ').length > LONG) add(findings.long, sentence, `over ${LONG} words`);
  }
}

const shown = [...findings.openers, ...findings.words, ...(process.argv.includes('--long') ? findings.long : [])];
for (const line of shown) console.log(line);
const [openers, words] = [percent(findings.openers), percent(findings.words)];
console.log(
  `${count} sentences: ${findings.openers.length} hide their subject (${openers.toFixed(2)} %), ${findings.words.length} odd ` +
    `words (${words.toFixed(2)} per 100), ${findings.long.length} in the documents over ${LONG} words. ` +
    `Allowed are less than ${BOUND} % and less than ${BOUND} per 100.`,
);
process.exitCode = openers < BOUND && words < BOUND ? 0 : 1;

function tracked() {
  const list = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1e8 }).split('\0');
  return list.filter((path) => TEXTS.test(path) && !SKIPPED.test(path)).map((path) => resolve(root, path));
}

function percent(list) {
  return (list.length / Math.max(count, 1)) * 100;
}
