import { isIP } from 'node:net';
import type { Report } from './report.js';

/** The names of networks that both Express (proxy-addr) and Fastify (@fastify/proxy-addr) accept. */
const NETWORKS: Readonly<Record<string, string>> = {
  loopback: '127.0.0.1/8, ::1/128',
  linklocal: '169.254.0.0/16, fe80::/10',
  uniquelocal: '10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7',
};

const LIST = 'List exactly the proxies that you run, such as "loopback, 10.0.0.0/8".';
const FORGED = 'so a client can forge the address by which failed attempts are counted';

/** Checks the value of Express' `trust proxy`, Fastify's `trustProxy`, or the variable `TRUST_PROXY`. */
export function checkTrustedProxies(report: Report, value: string | undefined): void {
  const items = (value ?? '').split(',').flatMap((item) => item.trim() || []);
  const joined = items.join(', ');
  if (items.length === 0) {
    report.ok(
      'proxy',
      'No proxy is trusted by --trust-proxy or TRUST_PROXY. If your code sets trust proxy, pass its value as --trust-proxy.',
    );
  } else if (/^(?:true|\*)$/i.test(joined)) {
    report.warning('proxy', `"${joined}" trusts every peer, ${FORGED}`, LIST);
  } else if (/^\d+$/.test(joined)) {
    const message =
      `"${joined}" trusts a number of hops. If a request passes fewer proxies, the app trusts its client, ${FORGED}. ` +
      'Fastify 5.12.1 and later trusts no proxy at all then';
    report.warning('proxy', message, LIST);
  } else checkNetworks(report, items);
}

function checkNetworks(report: Report, items: readonly string[]): void {
  const invalid = items.find((item) => !Object.hasOwn(NETWORKS, item) && !isNetwork(item));
  if (invalid !== undefined) {
    const names = Object.keys(NETWORKS).join(', ');
    report.failure('proxy', `${JSON.stringify(invalid)} is not an address, a network or one of ${names}`, LIST);
    return;
  }
  const all = items.find((item) => /\/0+$|^[0:]*:ffff:[^/]*\/96$/i.test(item));
  if (all === undefined) report.ok('proxy', `Trusts ${items.map((item) => NETWORKS[item] ?? item).join(', ')}`);
  else report.warning('proxy', `"${all}" trusts every peer, ${FORGED}`, LIST);
}

/** Whether a text is an address, or a network with the length of its prefix or, for IPv4, with a netmask. */
function isNetwork(text: string): boolean {
  const [, address = '', range] = /^([^/]+)(?:\/([\d.]+))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0 || range === undefined) return version !== 0;
  if (/^\d{1,3}$/.test(range)) return Number(range) <= (version === 4 ? 32 : 128);
  const mask = range.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  return version === 4 && isIP(range) === 4 && /^1+0*$/.test(mask.join(''));
}
