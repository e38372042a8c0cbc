import { createInterface } from 'node:readline/promises';
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
  if (terminal.stdin.isTTY === true) {
    const name = username ?? (await ask(terminal, 'Username: ', true));
    return { username: name, secretKey: await ask(terminal, 'Secret key (not shown): ', false) };
  }
  const lines = (await readAll(terminal)).split(/\r?\n/);
  const [name = '', secretKey = ''] = username === undefined ? lines : [username, ...lines];
  if (name !== '' && secretKey !== '') return { username: name, secretKey };
  const expected =
    username === undefined ? 'the username in one line and the secret key in the next' : 'the secret key';
  throw new UsageError(`whoami: standard input must contain ${expected}`);
}

/** Asks a question on the terminal. The question goes to standard error, so that standard output has only the result. */
async function ask({ stdin, stderr }: Terminal, question: string, echo: boolean): Promise<string> {
  stderr.write(question);
  const output = echo ? stderr : new Writable({ write: (_chunk, _encoding, done) => done() });
  // With `terminal`, readline turns off the echo of the terminal and writes every character to `output` itself.
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0 });
  const closed = new Promise<never>((_resolve, reject) => {
    lines.once('close', () => reject(new UsageError('whoami: cancelled')));
  });
  try {
    return await Promise.race([lines.question(''), closed]);
  } finally {
    closed.catch(() => undefined);
    lines.close();
    if (!echo) stderr.write('\n');
  }
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
