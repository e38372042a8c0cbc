// Runs modules in separate processes. The parent calls `start(script)`, and the child answers the parent's requests by
// `answer(ready, { … })`.
import { createHook } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { onCore } from './cores.mjs';

// `process.nextTick` becomes slower if none of its objects is in use during a full garbage collection, because V8 then frees their
// hidden class. Every request of a server then takes 2 µs more. Without the next lines, this happened by chance, in half of the
// processes. Each process keeps one object, so that all rows have the fast form.
const init = (_id, type, _trigger, tick) => type === 'TickObject' && (globalThis.keptTick = tick);
const hook = createHook({ init }).enable();
process.nextTick(() => undefined);
hook.disable();

/** Time limit for a child to become ready, or to answer. */
const PATIENCE_MS = 300_000;

/**
 * Starts a separate Node process on one core. Resolves with its first message when it is ready.
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
  // A request to a child that has ended emits an error. It is ignored, because the reason of the child's end is more useful.
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

/** Calls `work` with `start(script, { core, args, flags, node, env })`. Ends the started processes when `work` is finished. */
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

/** Called in the child. Reports readiness, and answers requests with these functions until the parent ends. */
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
