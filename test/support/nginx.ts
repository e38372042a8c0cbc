import { type RunningProxy, startProxy } from './proxy-program.js';

export interface NginxSetting {
  /** The address of the app that serves `/verify`. */
  readonly appUrl: string;
  /** The address of the site behind `/app/`. @default the stand-in of the example */
  readonly siteUrl?: string;
  /** Further replacements in the configuration. */
  readonly edits?: Readonly<Record<string, string>>;
}

/** Starts the nginx of `examples/forward-auth/nginx`, in one process of the current user. */
export function startNginx({ appUrl, siteUrl, edits = {} }: NginxSetting): Promise<RunningProxy> {
  return startProxy({
    program: 'nginx',
    debianPackage: 'nginx-light',
    example: 'nginx',
    args: (folder) => ['-e', 'stderr', '-p', folder, '-c', 'nginx/nginx.conf', '-g', 'daemon off; master_process off;'],
    listens: [
      'listen 127.0.0.1:8080;',
      'listen 127.0.0.1:8081;',
      ...(siteUrl === undefined ? ['server 127.0.0.1:8081;'] : []),
    ],
    edits: {
      'server 127.0.0.1:3000;': `server ${new URL(appUrl).host};`,
      ...(siteUrl !== undefined && { 'server 127.0.0.1:8081;': `server ${new URL(siteUrl).host};` }),
      ...edits,
    },
  });
}
