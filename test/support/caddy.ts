import { type RunningProxy, startProxy } from './proxy-program.js';

export interface CaddySetting {
  /** The app that answers `/verify`. */
  readonly appUrl: string;
  /** The site behind `/app/`. */
  readonly siteUrl: string;
  /** Further replacements in the configuration. */
  readonly edits?: Readonly<Record<string, string>>;
}

/** Starts the Caddy of `examples/forward-auth/caddy`, with the app that answers `/verify` and the site behind `/app/`. */
export function startCaddy({ appUrl, siteUrl, edits = {} }: CaddySetting): Promise<RunningProxy> {
  return startProxy({
    program: 'caddy',
    debianPackage: 'caddy',
    example: 'caddy',
    args: () => ['run', '--config', 'caddy/Caddyfile', '--adapter', 'caddyfile'],
    listens: ['http://:8080 {', 'http://:8081 {'],
    edits: {
      ...edits,
      'forward_auth 127.0.0.1:3000 {': `forward_auth ${new URL(appUrl).host} {`,
      'reverse_proxy 127.0.0.1:3000': `reverse_proxy ${new URL(appUrl).host}`,
      'reverse_proxy 127.0.0.1:8081': `reverse_proxy ${new URL(siteUrl).host}`,
    },
  });
}
