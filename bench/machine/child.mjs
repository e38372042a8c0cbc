// Fresh processes that are asked questions: `start(script)` here, `answer({ … })` there.
import { spawn } from 'node:child_process';
import { onCore } from './cores.mjs';

/** How long a child may take to be ready, or to answer. */
const PATIENCE_MS = 300_000;

/**
 * A Node process of its own on one core. Resolves when it has said that it is ready, with what it said.
 *
 * @param script path of a module that calls `answer`
 */
async function start(script, { core, args = [], flags = [], node = process.execPath, env = {} } = {}) {
  const [command, rest] = onCore(core, [node, ...flags, script, ...args.map(String)]);
  const child = spawn(command, rest, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  });
  let complaint = '';
  child.stderr.on('data', (chunk) => (complaint = `${complaint}${chunk}`.slice(-4_000)));
  const gone = new Promise((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(`${script} ${args.join(' ')} ended (${code ?? signal})\n${complaint}`),
    );
  });
  // Asking a child that is gone is an error of its own; why it is gone says more.
  child.on('error', () => undefined);
  let last = 0;
  const replyTo = (id) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${script} ${args.join(' ')}: no answer`)), PATIENCE_MS);
      const settle = (outcome) => {
        clearTimeout(timer);
        child.off('message', onMessage);
        outcome();
      };
      const onMessage = (message) => {
        if (message.id !== id) return;
        settle(() => ('error' in message ? reject(new Error(message.error)) : resolve(message.value)));
      };
      child.on('message', onMessage);
      void gone.then((why) => settle(() => reject(new Error(why))));
    });
  const ask = (question, about) => {
    const id = ++last;
    const reply = replyTo(id);
    child.send({ id, question, about });
    return reply;
  };
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  try {
    const ready = await replyTo(0);
    return { ready, ask, stop, pid: child.pid };
  } catch (failure) {
    await stop();
    throw failure;
  }
}

/** Does some work with processes, which all end with it. It is given `start(script, { core, args, flags, node, env })`. */
export async function withProcesses(work) {
  const started = [];
  try {
    return await work(async (script, options) => {
      const child = await start(script, options);
      started.push(child);
      return child;
    });
  } finally {
    await Promise.all(started.map((child) => child.stop()));
  }
}

/** In the child: says that it is ready, and answers questions with these functions until the parent is gone. */
export function answer(ready, answers = {}) {
  process.on('disconnect', () => process.exit());
  const reply = async ({ id, question, about }) => {
    try {
      process.send({ id, value: await answers[question](about) });
    } catch (failure) {
      process.send({ id, error: `${question}: ${failure?.stack ?? failure}` });
    }
  };
  process.on('message', (asked) => void reply(asked));
  process.send({ id: 0, value: ready });
}
