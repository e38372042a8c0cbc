// Some tests run against real programs. Where one is missing and the system is a Debian, this installs it; the service
// that its package may start is stopped, because the tests start servers of their own.
import { spawnSync } from 'node:child_process';

/** What the tests start, how it says its version, the package of Debian that has it, and the service in that package. */
const programs = [
  { program: 'redis-server', version: '--version', debianPackage: 'redis-server', service: 'redis-server' },
  { program: 'nginx', version: '-v', debianPackage: 'nginx-light', service: 'nginx' },
  { program: 'caddy', version: 'version', debianPackage: 'caddy', service: 'caddy' },
  { program: 'chromium', version: '--version', debianPackage: 'chromium' },
  { program: 'openssl', version: 'version', debianPackage: 'openssl' },
];

/** Makes sure that all of them can be started. Says what it does; never throws: the tests will say what is missing. */
export function installMissing(print) {
  const missing = programs.filter(({ program, version }) => !runs(program, [version]));
  if (missing.length === 0) return;
  const names = missing.map(({ program }) => program).join(', ');
  if (!runs('apt-get', ['--version'])) {
    print(
      `missing, and this is no Debian: ${names}. Install by hand, Redis 7 or Valkey among them, or tests will fail`,
    );
    return;
  }
  carryOut(['apt-get', 'update'], `${names}: missing`, print);
  for (const { program, debianPackage, service } of missing) {
    carryOut(['apt-get', 'install', '-y', '--no-install-recommends', debianPackage], `${program} is missing`, print);
    if (service !== undefined) spawnSync('service', [service, 'stop']);
  }
}

function carryOut(step, reason, print) {
  const command = [...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), ...step];
  print(`${reason}, so: ${command.join(' ')}`);
  const { status, stderr, error } = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8',
    maxBuffer: Infinity,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) print(`it did not work: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
}

/** Debian keeps servers where only root looks. */
function runs(command, args) {
  const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin`;
  return spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, PATH } }).status === 0;
}
