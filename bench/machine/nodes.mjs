// Provides other versions of Node, from npm.
import { spawnSync } from 'node:child_process';

/** Returns the executable of a major version, or the reason why there is none. */
export function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return { path: process.execPath, version: process.versions.node };
  const print = 'node -p "process.execPath + \' \' + process.versions.node"';
  const { status, stdout, stderr } = spawnSync('npx', ['-y', '-p', `node@${major}`, '-c', print], { encoding: 'utf8' });
  if (status !== 0) return { problem: `Node ${major} could not be fetched: ${stderr.trim().split('\n').at(-1)}` };
  const [path, version] = stdout.trim().split(' ');
  return { path, version };
}
