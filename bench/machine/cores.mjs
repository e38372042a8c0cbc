// Assigns cores. The servers run on one core and the load on another, so that the load does not slow down the servers.
import { availableParallelism } from 'node:os';
import { spawnSync } from 'node:child_process';

const canPin = spawnSync('taskset', ['--version']).status === 0;

/** Whether servers and load run on separate cores. The footnotes of the tables state it. */
export const pinned = canPin && availableParallelism() > 1;

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** Returns the command line that runs a command on only one core, if this machine supports that. */
export function onCore(core, [command, ...args]) {
  return pinned ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

/** Restricts this process and all its threads to one core. */
export function holdTo(core) {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)]);
}
