// The tests of more than one machine run against a real Redis. Where there is none and the system is a Debian, this
// installs it; the service that the package may start is stopped, because the tests start servers of their own.
import { spawnSync } from 'node:child_process';

/** Makes sure that `redis-server` can be started. Says what it does; never throws: the tests will say what is missing. */
export function installMissing(print) {
  if (runs('redis-server', ['--version'])) return;
  if (!runs('apt-get', ['--version'])) {
    print('redis-server is missing and this is no Debian: install Redis 7 or Valkey by hand, or its tests will fail');
    return;
  }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const steps = [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'redis-server'],
  ];
  for (const step of steps) {
    const command = [...sudo, ...step];
    print(`redis-server is missing, so: ${command.join(' ')}`);
    const { status, stderr, error } = spawnSync(command[0], command.slice(1), {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0) print(`it did not work: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
  }
  spawnSync('service', ['redis-server', 'stop']);
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
