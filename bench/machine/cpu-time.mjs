import { readFileSync, readdirSync } from 'node:fs';

/** Returns the CPU time in µs of all threads of a process, from Linux's scheduler statistics (proc(5), schedstat). */
export function cpuTimeOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}
