import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';

/** A load balancer that only alternates between the instances. */
export class Nginx implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(ports: readonly number[]): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'chaos-nginx-'));
    const port = await freePort();
    await writeFile(join(folder, 'nginx.conf'), configuration(port, ports));
    const args = ['-e', 'stderr', '-p', folder, '-c', 'nginx.conf', '-g', 'daemon off; master_process off;'];
    const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
    const nginx = spawn('nginx', args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'ignore'] });
    let failure: Error | undefined;
    nginx.once('error', (error) => (failure = error));
    const url = `http://127.0.0.1:${port}`;
    await until(async () => {
      if (failure !== undefined) throw new Error(`nginx does not start: ${failure.message}`);
      return fetch(url).then(
        () => true,
        () => false,
      );
    }, 'nginx answers');
    return new Nginx(url, nginx, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** nginx skips an instance that is gone for a second, and waits for one that is suspended. */
function configuration(port: number, ports: readonly number[]): string {
  return `
pid nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream apps {
    ${ports.map((to) => `server 127.0.0.1:${to} fail_timeout=1s;`).join('\n    ')}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://apps;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $http_x_client_address;
      proxy_read_timeout 20s;
    }
  }
}
`;
}
