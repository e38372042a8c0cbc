// Which core does what: servers on one, the load on the other, so that neither takes time from the other.
import { availableParallelism } from 'node:os';
import { spawnSync } from 'node:child_process';

const canPin = spawnSync('taskset', ['--version']).status === 0;

/** Whether servers and load run on cores of their own; otherwise the figures say so. */
export const pinned = canPin && availableParallelism() > 1;

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** A command that runs on one core alone, where this machine can. */
export function onCore(core, [command, ...args]) {
  return pinned ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

/** Keeps this process to one core, with all its threads. */
export function holdTo(core) {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)]);
}
