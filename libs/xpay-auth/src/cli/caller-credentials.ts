import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Credentials } from '../core/credentials.js';
import { UsageError } from './cli-arguments.js';
import type { Terminal } from './terminal.js';

/** Maximum length of the input in bytes. It is more than twice the longest field that the library accepts. */
const LONGEST_INPUT = 16_384;

/**
 * Reads the secret key, and also the username unless it is given. On a terminal, asks for both without showing the secret key.
 * Otherwise reads them as lines of standard input, the username first.
 *
 * @throws UsageError if the input ends too early or is too long
 */
export async function readCaller(username: string | undefined, terminal: Terminal): Promise<Credentials> {
  const isTerminal = terminal.stdin.isTTY === true;
  const lines = isTerminal ? await ask(terminal, username === undefined) : (await readAll(terminal)).split(/\r?\n/);
  const [name = '', secretKey = ''] = username === undefined ? lines : [username, ...lines];
  if (name !== '' && secretKey !== '') return { username: name, secretKey };
  const expected =
    username === undefined ? 'the username in one line and the secret key in the next' : 'the secret key';
  throw new UsageError(`whoami: ${isTerminal ? 'the answers' : 'standard input'} must contain ${expected}`);
}

/**
 * Asks on the terminal for the username, if it is wanted, and for the secret key. The questions go to standard error, so that
 * standard output has only the result. One interface reads both lines, because both may be pasted at once.
 */
async function ask({ stdin, stderr }: Terminal, asksUsername: boolean): Promise<string[]> {
  const questions = [...(asksUsername ? ['Username: '] : []), 'Secret key (not shown): '];
  const answers: string[] = [];
  // With `terminal`, readline turns off the echo of the terminal, and writes each typed character to `output` itself.
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (answers.length < questions.length - 1) stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0 });
  const closed = once(lines, 'close');
  lines.on('line', (line) => {
    answers.push(line);
    const next = questions[answers.length];
    if (next === undefined) lines.close();
    else stderr.write(next);
  });
  stderr.write(questions[0] ?? '');
  await closed;
  stderr.write('\n');
  if (answers.length < questions.length) throw new UsageError('whoami: cancelled');
  return answers;
}

async function readAll({ stdin }: Terminal): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Buffer | string);
    length += bytes.length;
    if (length > LONGEST_INPUT) throw new UsageError(`whoami: standard input has more than ${LONGEST_INPUT} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
