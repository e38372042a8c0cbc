// Installs, on Debian, the missing programs that some tests start. Stops a service that a package starts, because the tests
// start their own servers.
import { spawnSync } from 'node:child_process';

/**
 * Programs that the tests start: the argument that prints the version, the Debian package, and the service in that
 * package.
 */
const programs = [
  { program: 'redis-server', version: '--version', debianPackage: 'redis-server', service: 'redis-server' },
  { program: 'nginx', version: '-v', debianPackage: 'nginx-light', service: 'nginx' },
  { program: 'caddy', version: 'version', debianPackage: 'caddy', service: 'caddy' },
  { program: 'chromium', version: '--version', debianPackage: 'chromium' },
  { program: 'openssl', version: 'version', debianPackage: 'openssl' },
];

/**
 * Checks that every program can be started, and reports what it does. It never throws: the tests fail and name the
 * missing program.
 */
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
    carryOut(
      ['apt-get', 'install', '-y', '--no-install-recommends', debianPackage],
      `${program} is not installed`,
      print,
    );
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
  if (status !== 0) print(`the installation failed: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
}

/** Whether a command can be started. Also searches the folders of Debian's servers, which only root's PATH contains. */
function runs(command, args) {
  const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin`;
  return spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, PATH } }).status === 0;
}
