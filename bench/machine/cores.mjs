// Assigns cores: servers run on one, the load on the other, so that neither takes time from the other.
import { availableParallelism } from 'node:os';
import { spawnSync } from 'node:child_process';

const canPin = spawnSync('taskset', ['--version']).status === 0;

/** Whether servers and load run on separate cores. The footnotes of the tables state it. */
export const pinned = canPin && availableParallelism() > 1;

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** A command that runs on only one core, if this machine supports it. */
export function onCore(core, [command, ...args]) {
  return pinned ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

/** Restricts this process and all its threads to one core. */
export function holdTo(core) {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)]);
}
