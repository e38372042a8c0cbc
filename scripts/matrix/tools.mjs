// Installs the tools of the matrix: other versions of Node, the package managers, and the starters of each Nest CLI. They are
// installed below .check/matrix once, and used again by later runs.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { run } from './run.mjs';

const OPTIONS = ['--no-audit', '--no-fund', '--loglevel=error', '--no-save'];
const isWindows = platform() === 'win32';

export class Tools {
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  /** Returns the folder of the program `node` of a major version. */
  async node(major) {
    const name = `node-${isWindows ? 'win' : platform()}-${arch()}`;
    const folder = await this.#install(`node-${major}`, `${name}@${major}`);
    return join(folder, 'node_modules', name, 'bin');
  }

  /** Returns the folder of the programs of a package manager, such as `pnpm 10`; `undefined` for npm. */
  async manager(manager) {
    if (manager === 'npm') return undefined;
    const [name, major] = manager.split(' ');
    return join(await this.#install(`${name}-${major}`, `${name}@${major}`), 'node_modules/.bin');
  }

  /** Returns the folder of an app that `nest new` of this major version has generated. */
  async starter(major) {
    const cli = await this.#install(`cli-${major}`, `@nestjs/cli@${major}`);
    const folder = join(cli, 'starter');
    if (!existsSync(folder)) {
      const nest = join(cli, 'node_modules/@nestjs/cli/bin/nest.js');
      const options = ['--skip-install', '--skip-git', '--package-manager=npm'];
      await run('node', [nest, 'new', 'starter', ...options], { cwd: cli });
    }
    return folder;
  }

  /** Returns the environment of a combination: its Node and its package manager come first on the PATH. */
  async environment({ node, manager }, registry) {
    const folders = [await this.node(node), await this.manager(manager), dirname(process.execPath)];
    const inherited = Object.entries(process.env).filter(([name]) => !/^(?:XPAY_|npm_|CI$|NODE_OPTIONS$)/i.test(name));
    return {
      ...Object.fromEntries(inherited),
      PATH: [...folders.filter((folder) => folder !== undefined), process.env.PATH].join(delimiter),
      NO_COLOR: '1',
      npm_config_registry: registry,
      npm_config_cache: join(this.#folder, 'npm-cache'),
      npm_config_audit: 'false',
      npm_config_fund: 'false',
    };
  }

  async #install(name, ...packages) {
    const folder = join(this.#folder, name);
    const done = join(folder, 'installed');
    if (existsSync(done) && readFileSync(done, 'utf8') === packages.join(' ')) return folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    await run('npm', ['install', ...OPTIONS, ...packages], { cwd: folder });
    writeFileSync(done, packages.join(' '));
    return folder;
  }
}
